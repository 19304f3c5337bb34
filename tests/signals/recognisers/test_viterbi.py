from itertools import pairwise, product

import numpy as np
import pytest

from auralign.signals.recognisers.viterbi import Chain, align, decode

N_STATES = 5
FIRST = np.array([0, 2])  # two units: states 0-1 and 2-4
LAST = np.array([1, 4])


def problem(seed: int, n_frames: int = 6):
    rng = np.random.default_rng(seed)
    emission = rng.standard_normal((1, n_frames, N_STATES)).astype(np.float32) * 2
    stay = np.log(rng.uniform(0.2, 0.8, N_STATES))
    return emission, stay, np.log1p(-np.exp(stay)), rng


def chain_of(state, skip=(), start=(0,), end=(-1,)) -> Chain:
    n = len(state)
    skips, starts, ends = np.zeros(n, int), np.zeros(n, bool), np.zeros(n, bool)
    for place, length in skip:
        skips[place] = length
    starts[list(start)] = ends[list(end)] = True
    return Chain(np.array([state]), skips[None], starts[None], ends[None])


@pytest.mark.parametrize("seed", range(8))
def test_align_finds_the_best_of_all_paths(seed):
    emission, stay, leave, _ = problem(seed)
    state = [0, 1, 2, 3, 4]
    chain = chain_of(state, skip=[(3, 2)], start=(0, 1), end=(4, 3))

    def score(path) -> float:
        if not (chain.start[0, path[0]] and chain.end[0, path[-1]]):
            return -np.inf
        total = leave[state[path[-1]]] + sum(
            emission[0, t, state[place]] for t, place in enumerate(path)
        )
        for a, b in pairwise(path):
            if b == a:
                total += stay[state[a]]
            elif b == a + 1 or (b == 3 and a == 0):
                total += leave[state[a]]
            else:
                return -np.inf
        return total

    best = max(product(range(5), repeat=6), key=score)
    found = align(emission, stay, leave, chain, np.array([6]))
    assert found.score[0] == pytest.approx(score(best))
    np.testing.assert_array_equal(found.states[0], best)


@pytest.mark.parametrize("seed", range(8))
def test_decode_finds_the_best_of_all_paths(seed):
    emission, stay, leave, rng = problem(seed)
    start, grammar = rng.standard_normal(2), rng.standard_normal((2, 2))
    if seed % 2:
        grammar[0, 0] = -np.inf

    def score(path) -> float:
        if path[0] not in FIRST or path[-1] not in LAST:
            return -np.inf
        total = start[list(FIRST).index(path[0])] + leave[path[-1]]
        total += sum(emission[0, t, s] for t, s in enumerate(path))
        for a, b in pairwise(path):
            if a == b:
                total += stay[a]
            elif b == a + 1 and b not in FIRST:
                total += leave[a]
            elif a in LAST and b in FIRST:
                total += leave[a] + grammar[list(LAST).index(a), list(FIRST).index(b)]
            else:
                return -np.inf
        return total

    best = max(product(range(N_STATES), repeat=6), key=score)
    found = decode(emission, stay, leave, FIRST, start, grammar, np.array([6]))
    assert found.score[0] == pytest.approx(score(best))
    np.testing.assert_array_equal(found.states[0], best)
    entered = [t == 0 or best[t] != best[t - 1] for t in range(6)]
    np.testing.assert_array_equal(found.entered[0], entered)


def test_padding_and_company_change_nothing():
    emission, stay, leave, rng = problem(1, n_frames=9)
    lengths = np.array([6, 9])
    batch = np.concatenate([emission, rng.standard_normal((1, 9, N_STATES)).astype(np.float32)])
    start, grammar = np.zeros(2), np.zeros((2, 2))
    together = decode(batch, stay, leave, FIRST, start, grammar, lengths)
    alone = decode(emission[:, :6], stay, leave, FIRST, start, grammar, lengths[:1])
    assert together.score[0] == pytest.approx(alone.score[0])
    np.testing.assert_array_equal(together.states[0, :6], alone.states[0])
    assert not together.entered[0, 6:].any()

    chain = chain_of([2, 3, 4])
    both = Chain(*(np.repeat(a, 2, axis=0) for a in vars(chain).values()))
    together = align(batch, stay, leave, both, lengths)
    alone = align(emission[:, :6], stay, leave, chain, lengths[:1])
    assert together.score[0] == pytest.approx(alone.score[0])
    np.testing.assert_array_equal(together.states[0, :6], alone.states[0])


def test_too_few_frames_have_no_path():
    emission, stay, leave, _ = problem(0, n_frames=2)
    found = align(emission, stay, leave, chain_of([2, 3, 4]), np.array([2]))
    assert found.score[0] == -np.inf
