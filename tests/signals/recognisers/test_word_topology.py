import numpy as np
import pytest

from auralign.errors import DataError
from auralign.signals.recognisers.word_topology import Topology

TOPOLOGY = Topology(("no", "yes"), states_per_word=4)
PAUSE, NO, YES = [0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]


def test_every_unit_has_its_own_states():
    assert TOPOLOGY.n_states == 11
    np.testing.assert_array_equal(np.concatenate([TOPOLOGY.states(u) for u in range(3)]), range(11))
    np.testing.assert_array_equal(TOPOLOGY.first, [0, 3, 7])


def test_a_chain_is_pause_word_pause_with_every_pause_optional():
    chain = TOPOLOGY.chain("yes no")
    np.testing.assert_array_equal(chain.state[0], PAUSE + YES + PAUSE + NO + PAUSE)
    assert np.flatnonzero(chain.start[0]).tolist() == [0, 3]  # first pause or first word
    assert np.flatnonzero(chain.end[0]).tolist() == [13, 16]  # last word or last pause
    assert np.flatnonzero(chain.skip[0]).tolist() == [10]  # into "no", over the pause before it
    assert chain.skip[0, 10] == 3


def test_a_text_without_words_is_a_pause():
    chain = TOPOLOGY.chain("")
    np.testing.assert_array_equal(chain.state[0], PAUSE)
    assert np.flatnonzero(chain.start[0]).tolist() == [0]
    assert np.flatnonzero(chain.end[0]).tolist() == [2]


def test_chains_are_padded_with_places_where_nothing_begins_or_ends():
    chains = TOPOLOGY.chains(["yes", "no yes no"])
    assert chains.state.shape == (2, 24)
    assert not chains.start[0, 10:].any()
    assert not chains.end[0, 10:].any()


def test_an_equal_cut_passes_through_all_states_in_order():
    cut = TOPOLOGY.equal_cut("no", 20)
    np.testing.assert_array_equal(cut, np.repeat(PAUSE + NO + PAUSE, 2))


def test_the_text_is_read_off_the_states_a_path_enters():
    assert TOPOLOGY.text(np.array(PAUSE + YES + YES + PAUSE + NO)) == "yes yes no"
    assert TOPOLOGY.text(np.array(PAUSE)) == ""


def test_an_unknown_word_suggests_the_near_one():
    with pytest.raises(DataError, match=r"word 'yess' \(did you mean 'yes'\?\): it knows no, yes"):
        TOPOLOGY.chain("yess")
