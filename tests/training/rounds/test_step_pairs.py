"""Search over segments on a policy of fair coins, whose values are known, and its pairs."""

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auralign.data.example_checks import check_example
from auralign.data.example_files import read_examples
from auralign.data.examples import TokenPair
from auralign.errors import ConfigError, DataError
from auralign.training.rounds.search import Node, best_first, puct, search
from auralign.training.rounds.step_pairs import (
    STEP_EXAMPLES,
    divergence_point,
    sibling_pairs,
    step_pairs,
    visit_smoothing,
    with_step_pairs,
)
from auralign.types import Prompt

PROMPT = Prompt("p", "one", "ann")
N_FRAMES = 4


class Coins:
    """Four frames of one codebook, each code 0 or 1 with equal chance; refuses other prefixes."""

    def __init__(self):
        self.asked = Counter()

    def continue_from(self, prompts, prefixes, *, generator):
        clips = []
        for prefix in prefixes:
            self.asked[tuple(prefix[0].tolist())] += 1
            rest = torch.randint(2, (1, N_FRAMES - prefix.shape[1]), generator=generator)
            clips.append(np.concatenate([prefix, rest.numpy()], axis=1))
        return clips, np.ones(len(clips), bool)

    def token_logps(self, prompts, tokens):
        shape = (1, *tokens[0].shape)
        return torch.full(shape, math.log(0.5)), torch.ones(shape, dtype=torch.bool)


def begins_with_ones(prompts, tokens):
    """1 for clips that begin with two ones."""
    return np.array([float((t[0, :2] == 1).all()) for t in tokens])


def grown(**options) -> Node:
    settings = {"segment": 1, "n_codebooks": 1, "n_children": 8, "n_rollouts": 64} | options
    generator = torch.Generator().manual_seed(0)
    return search(Coins(), PROMPT, begins_with_ones, generator=generator, **settings)


def node(value: float, n_visits: int = 0, *children: Node) -> Node:
    """One frame, with eight look-aheads of which the share `value` end well."""
    rewards = np.array([1.0] * round(8 * value) + [0.0] * round(8 - 8 * value))
    code = round(8 * value)
    clips = [np.array([[code, i]]) for i in range(8)]
    return Node(np.array([[code]]), clips, rewards, n_visits=n_visits, children=list(children))


def test_values_are_the_chances_that_a_clip_ends_well():
    """1/4 before the first code, 1/2 after a one, 0 after a zero."""
    root = grown()
    values = {int(child.prefix[0, 0]): child.value for child in root.children}
    assert root.value == pytest.approx(1 / 4, abs=0.17)
    assert values[1] == pytest.approx(1 / 2, abs=0.2)
    assert values[0] == 0.0


def test_the_gain_of_a_step_is_the_rise_of_its_value():
    root = grown()
    for parent in root.walk():
        for child in parent.children:
            assert child.gain == pytest.approx(child.value - parent.value)


@pytest.mark.parametrize("select", [puct, best_first])
def test_search_goes_where_clips_end_well(select):
    root = grown(select=select, n_expansions=4)
    best = max(root.children, key=lambda child: child.q)
    assert best.prefix.tolist() == [[1]]
    visits = {int(child.prefix[0, 0]): child.n_visits for child in root.children}
    assert visits[1] > visits[0]


def test_best_first_never_expands_below_a_worse_node_than_another_open_one():
    root = grown(select=best_first, n_expansions=2)
    expanded = [n.prefix[0].tolist() for n in root.walk() if n.children]
    assert expanded == [[], [1]]


def test_a_prior_is_that_of_the_authors_code():
    """n = 2 codes of probability 1/2: exp(-2 log 2 / 2^1.25)."""
    root = grown(segment=2, n_expansions=1)
    expected = math.exp(-2 * math.log(2) / 2**1.25)
    assert all(child.prior == pytest.approx(expected) for child in root.children)


def test_q_adds_what_follows_weighted_by_visits():
    """gain + (2 * 0.5 + max(1, 0) * -0.25) / 3"""
    a, b = node(0.5, 2), node(0.25, 0)
    a.gain, b.gain = 0.5, -0.25
    parent = node(0.5, 3, a, b)
    parent.gain = 0.1
    assert parent.q == pytest.approx(0.1 + (2 * 0.5 - 0.25) / 3)


def test_no_prefix_is_asked_that_was_not_grown():
    policy, generator = Coins(), torch.Generator().manual_seed(0)
    root = search(policy, PROMPT, begins_with_ones, segment=2, n_codebooks=1, generator=generator)
    assert set(policy.asked) <= {tuple(n.prefix[0].tolist()) for n in root.walk()}


def test_the_same_generator_grows_the_same_tree():
    a, b = ([(n.prefix.tolist(), n.n_visits, n.value) for n in grown().walk()] for _ in range(2))
    assert a == b


def test_smoothing_by_visits_is_that_of_the_authors_code():
    """q_b = 6, q_w = 2: c = 1 / (1 + 2/6) = 0.75, e = 0.25."""
    assert visit_smoothing(6, 2) == pytest.approx(0.25)
    assert visit_smoothing(6, 0) == 0.0
    assert visit_smoothing(0, 9) == 0.5


def test_each_depth_of_the_best_path_gives_a_pair():
    good, bad = node(0.75, 6), node(0.25, 2)
    good.gain, bad.gain = 0.25, -0.25
    (pair,) = step_pairs(PROMPT, node(0.5, 8, good, bad))
    assert pair.p_chosen == pytest.approx(0.75)
    assert (pair.chosen[0, 0], pair.rejected[0, 0]) == (6, 2)
    check_example(pair)


def test_a_round_may_train_on_the_steps_of_its_prompts_too(tmp_path):
    seen = []

    def train(examples, context):
        seen.extend(examples)
        return {}

    plain = [
        TokenPair(PROMPT, np.array([[0, i]]), np.array([[1, i]]), p_chosen=1.0) for i in range(2)
    ]
    context = SimpleNamespace(folder=tmp_path)
    with_step_pairs(train, lambda prompt, context: grown(n_expansions=2))(plain, context)
    stored = read_examples(tmp_path / STEP_EXAMPLES)
    assert seen[:2] == plain
    assert [pair.chosen.tolist() for pair in seen[2:]] == [p.chosen.tolist() for p in stored]
    assert len(stored) > 0


def test_siblings_that_differ_by_three_of_eight_make_a_pair_and_by_two_do_not():
    wide = sibling_pairs(PROMPT, node(0.5, 0, node(2 / 8), node(5 / 8)))
    assert [(p.chosen[0, 0], p.rejected[0, 0]) for p in wide] == [(5, 2)]
    assert sibling_pairs(PROMPT, node(0.5, 0, node(3 / 8), node(5 / 8))) == []


def test_codes_before_the_divergence_point_weigh_nothing():
    a, b = np.array([[1, 2, 3, 4]]), np.array([[1, 2, 0]])
    assert divergence_point(a, b) == 2
    assert divergence_point(a, a[:, :3]) == 3
    root = grown(n_expansions=4)
    for pair in step_pairs(PROMPT, root):
        shared = divergence_point(pair.chosen, pair.rejected)
        assert not pair.chosen_weights[:, :shared].any()
        assert pair.rejected_weights[:, shared:].all()


def test_a_shared_beginning_has_the_same_log_ratio_in_both_clips(make_policy):
    """So the loss on whole clips is the one from the divergence point on."""
    policy, reference = make_policy(seed=1), make_policy(seed=0)
    start = np.array([[0, 1, 2], [3, 2, 1]])
    clips = [np.concatenate([start, np.full((2, n), code)], axis=1) for n, code in ((2, 0), (4, 3))]
    ratios = [
        policy.token_logps([PROMPT], [c])[0] - reference.token_logps([PROMPT], [c])[0]
        for c in clips
    ]
    torch.testing.assert_close(ratios[0][..., :3], ratios[1][..., :3])
    whole = ratios[0].sum() - ratios[1].sum()
    after = ratios[0][..., 3:].sum() - ratios[1][..., 3:].sum()
    torch.testing.assert_close(whole, after, rtol=1e-4, atol=1e-4)


def test_sizes_and_rewards_that_cannot_be_searched_with_are_named():
    with pytest.raises(ConfigError, match="of at least 1, got 0, 8"):
        grown(segment=0)
    with pytest.raises(DataError, match=r"expected a reward for each clip, got none for 64 of 64"):
        search(
            Coins(), PROMPT, lambda p, t: np.full(len(t), np.nan), segment=1, n_codebooks=1,
            n_rollouts=64, generator=torch.Generator(),
        )  # fmt: skip
