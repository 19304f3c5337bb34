import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.preferences.strength import Strength, flip_weakest, preference_strength
from auralign.types import PreferencePair, Split


def pairs(n: int) -> list[PreferencePair]:
    return [
        PreferencePair("p", f"w{i}", f"l{i}", 0.9, 1.0, "overall", 4, "vote_share", Split.TRAIN)
        for i in range(n)
    ]


def strength(*mean: float) -> Strength:
    return Strength(np.array(mean), np.ones(len(mean)))


def test_strength_at_the_published_numbers():
    found = preference_strength(np.array([[1.2], [0.8], [-0.2], [1.0]]))
    assert found.mean == pytest.approx([0.7])
    assert found.sd == pytest.approx([0.538516], abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 3), (3,)])
def test_one_model_says_nothing_about_agreement_of_models(shape):
    with pytest.raises(DataError, match="at least 2 reward models"):
        preference_strength(np.zeros(shape))


def test_the_weakest_share_is_flipped_and_says_so():
    flipped = flip_weakest(pairs(4), strength(0.5, -2.0, -0.1, 1.0), share=0.25)
    assert [(p.chosen, p.rejected) for p in flipped] == [
        ("w0", "l0"),
        ("l1", "w1"),
        ("w2", "l2"),
        ("w3", "l3"),
    ]
    assert [p.rule for p in flipped] == ["vote_share", "vote_share_flipped"] + 2 * ["vote_share"]
    assert flipped[1].p_chosen == 0.9


def test_pairs_that_the_models_agree_with_are_never_flipped():
    assert flip_weakest(pairs(2), strength(0.1, 0.2), share=1.0) == pairs(2)


def test_planted_wrong_labels_are_found_and_flipped_back():
    rng = np.random.default_rng(0)
    true = np.abs(rng.normal(2, 0.5, 200))
    wrong = np.arange(200) < 40
    margins = np.where(wrong, -true, true) + rng.normal(0, 1, (10, 200))
    flipped = flip_weakest(pairs(200), preference_strength(margins), share=0.2)
    assert [p.chosen.startswith("l") for p in flipped] == wrong.tolist()


@pytest.mark.parametrize(("share", "n"), [(-0.1, 2), (1.1, 2), (0.5, 3)])
def test_shares_outside_zero_to_one_and_strengths_of_other_pairs_are_refused(share, n):
    with pytest.raises(ConfigError, match=r"share in \[0, 1\] and a strength for each of 2"):
        flip_weakest(pairs(2), strength(*[1.0] * n), share=share)
