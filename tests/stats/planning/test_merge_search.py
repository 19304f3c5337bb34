import math
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError
from auralign.stats.planning.merge_search import merge, merge_search


def preferences(seed_values):
    """An arbitrary table of probabilities with P(b, a) = 1 - P(a, b)."""

    def prefers(a, b):
        low, high = sorted((a, b))
        p = seed_values[(ord(low) * 31 + ord(high) * 17) % len(seed_values)]
        return p if a == low else 1 - p

    return prefers


tables = st.lists(st.floats(0.02, 0.98), min_size=23, max_size=23).map(preferences)


def likelihood(order, left, right, prefers):
    """Of one interleaving: the product of the answers that the merge asks on its way."""
    i = j = 0
    total = 0.0
    for item in order:
        if i < len(left) and j < len(right):
            p = prefers(left[i], right[j])
            total += math.log(p if item == left[i] else 1 - p)
        i, j = (i + 1, j) if i < len(left) and item == left[i] else (i, j + 1)
    return total


@settings(max_examples=30)
@given(tables)
def test_a_wide_beam_finds_the_likeliest_of_all_interleavings(prefers):
    left, right = "abc", "defg"
    best = -math.inf
    for places in combinations(range(7), 3):
        a, b = iter(left), iter(right)
        order = [next(a) if k in places else next(b) for k in range(7)]
        best = max(best, likelihood(order, left, right, prefers))
    found = merge(left, right, prefers, beam=1000, gap=0.5)
    assert found.log_likelihood == pytest.approx(best)
    assert likelihood(found.placed, left, right, prefers) == pytest.approx(best)


@settings(max_examples=30)
@given(tables, st.integers(2, 20))
def test_without_a_gap_it_is_merge_sort(prefers, n):
    items = [chr(ord("a") + k) for k in range(n)]

    def merge_sort(part):
        if len(part) < 2:
            return part
        left, right = merge_sort(part[: len(part) // 2]), merge_sort(part[len(part) // 2 :])
        merged = []
        while left and right:
            merged.append((left if prefers(left[0], right[0]) >= 0.5 else right).pop(0))
        return merged + left + right

    found = merge_search(items, prefers, gap=0)
    assert list(found.ranking) == merge_sort(items)
    assert found.n_asked <= n * math.ceil(math.log2(n))


@settings(max_examples=30)
@given(st.permutations("abcdefghij"), st.floats(0, 0.4))
def test_transitive_certain_answers_give_the_true_order(order, gap):
    found = merge_search(
        sorted(order), lambda a, b: float(order.index(a) < order.index(b)), gap=gap
    )
    assert found.ranking == tuple(order)
    assert found.log_likelihood == 0
    assert found.warnings == ()


def test_an_uncertain_first_answer_is_overruled_by_the_likelier_path():
    answers = {("a", "c"): 0.52, ("b", "c"): 0.01, ("a", "d"): 0.2, ("b", "d"): 0.01}
    found = merge("ab", "cd", lambda a, b: answers[a, b], beam=10, gap=0.1)
    # a c d b has 0.52 x 0.99 x 0.99, c d a b has 0.48 x 0.8.
    assert found.placed == ("a", "c", "d", "b")
    answers["a", "d"] = 0.01
    answers["b", "c"] = 0.45
    found = merge("ab", "cd", lambda a, b: answers[a, b], beam=10, gap=0.1)
    # a c d b has 0.52 x 0.55 x 0.99, c d a b has 0.48 x 0.99.
    assert found.placed == ("c", "d", "a", "b")


def test_a_pair_is_asked_once_and_unsure_answers_are_reported():
    asked = []

    def prefers(a, b):
        asked.append((a, b))
        return 0.5

    found = merge_search("abcdefgh", prefers, gap=0.2)
    assert len(asked) == len(set(asked)) == found.n_asked
    assert "coin flip" in found.warnings[0]


@pytest.mark.parametrize(
    ("items", "options", "error", "message"),
    [
        ("a", {}, DataError, "at least 2 different"),
        ("aba", {}, DataError, "different"),
        ("ab", {"beam": 0}, ConfigError, "beam"),
        ("ab", {"gap": 0.6}, ConfigError, "gap"),
    ],
)
def test_bad_input_is_named(items, options, error, message):
    with pytest.raises(error, match=message):
        merge_search(items, lambda a, b: 0.7, **options)


def test_an_answer_must_be_a_probability():
    with pytest.raises(DataError, match="between 0 and 1, got nan"):
        merge_search("ab", lambda a, b: math.nan)
