import pytest

from auralign.signals.licences import restrictive_licence
from auralign.signals.registry import select, signals
from auralign.signals.signal import Signal


def licensed(code, weights=None):
    return Signal(
        "s", 1, "", (), lambda: lambda items: [], code_licence=code, weights_licence=weights
    )


@pytest.mark.parametrize("code", ["MIT", "Apache-2.0", "MIT AND BSD-3-Clause"])
def test_a_permissive_licence_asks_for_nothing(code):
    assert restrictive_licence(licensed(code, "CC-BY-4.0")) is None


@pytest.mark.parametrize(
    ("code", "weights", "told"),
    [
        ("GPL-3.0-or-later", None, "code: GPL-3.0-or-later"),
        ("MIT", "CC-BY-NC-SA-4.0", "weights: CC-BY-NC-SA-4.0"),
        ("MIT AND GPL-3.0-only", None, "code: MIT AND GPL-3.0-only"),
        ("a licence nobody knows", "MIT", "code: a licence nobody knows"),
    ],
)
def test_any_other_licence_is_told(code, weights, told):
    assert restrictive_licence(licensed(code, weights)) == told


def test_the_offline_set_is_permissive_and_the_restricted_extra_is_not():
    assert [s.name for s in select(["offline"]) if restrictive_licence(s)] == []
    assert all(restrictive_licence(s) for s in signals().values() if s.extra == "restricted")
