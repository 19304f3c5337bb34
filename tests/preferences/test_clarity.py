import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError
from auralign.preferences.clarity import clearest_pairs
from auralign.types import PreferencePair, Split


def pairs(n: int) -> list[PreferencePair]:
    return [
        PreferencePair("p", f"w{i}", f"l{i}", 1.0, 1.0, "overall", 1, "r", Split.TRAIN)
        for i in range(1, n + 1)
    ]


def kept(margins, **options) -> list[str]:
    return [p.chosen for p in clearest_pairs(pairs(len(margins)), margins, **options)]


def test_signed_and_absolute_margins_keep_different_pairs():
    margins = [4, 1, -0.5, -6]
    assert kept(margins) == ["w1", "w2"]
    assert kept(margins, absolute=True) == ["w1", "w4"]


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=15), st.floats(0.01, 1))
def test_whatever_is_kept_is_at_least_as_clear_as_whatever_is_not(margins, share):
    names = kept(margins, share=share)
    assert len(names) == max(1, round(share * len(margins)))
    inside = [m for i, m in enumerate(margins, 1) if f"w{i}" in names]
    outside = [m for i, m in enumerate(margins, 1) if f"w{i}" not in names]
    assert not outside or min(inside) >= max(outside)
    assert names == sorted(names, key=lambda name: int(name[1:]))


@pytest.mark.parametrize(("share", "n"), [(0, 2), (1.5, 2), (0.5, 3)])
def test_a_share_outside_zero_to_one_or_margins_of_other_pairs_are_refused(share, n):
    with pytest.raises(ConfigError, match=r"share in \(0, 1\] and a margin for each of 2"):
        clearest_pairs(pairs(2), [1.0] * n, share=share)
