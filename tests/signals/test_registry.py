import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from auralign.errors import ConfigError
from auralign.signals import registry
from auralign.signals.signal import Requirement
from auralign.types import DIMENSIONS


@pytest.fixture
def offering(monkeypatch):
    """Entry points that lead to these objects of this module."""

    def of(*names):
        points = [EntryPoint(n, f"{__name__}:{n}", registry.GROUP) for n in names]
        monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.name])
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        registry.signals.cache_clear()

    yield of
    registry.signals.cache_clear()


SOMETHING_ELSE = "not a signal"


def test_names_of_signals_and_sets_are_different():
    names = [*registry.signals(), *registry.sets()]
    assert len(names) == len(set(names))


def test_a_signal_knows_its_own_name():
    assert all(name == signal.name for name, signal in registry.signals().items())


def test_every_measure_says_something_that_a_study_can_hold():
    for name, signal in registry.signals().items():
        measures = [measure.name for measure in signal.measures]
        assert len(measures) == len(set(measures)) > 0, name
        for measure in signal.measures:
            assert set(measure.dimensions) <= set(DIMENSIONS), name
            assert (measure.target is not None) == (measure.direction == "target"), name


def test_the_offline_set_needs_no_extra_no_weights_and_no_set():
    for signal in registry.select(["offline"]):
        assert (signal.extra, signal.weights_licence, signal.download_bytes) == (None, None, 0)
        assert Requirement.SET not in signal.requires


def test_every_signal_of_an_extra_is_in_the_set_of_that_name():
    sets = registry.sets()
    for name, signal in registry.signals().items():
        assert signal.extra is None or name in sets[signal.extra]


@pytest.mark.usefixtures("toys")
def test_a_selection_has_each_signal_once_in_the_order_named():
    names = [signal.name for signal in registry.select(["rate", "offline", "rate", "peak"])]
    assert names[0] == "rate"
    assert len(names) == len(set(names))
    assert {"peak", "two"} <= set(names)


def test_an_unknown_name_suggests_the_near_one(toys):
    with pytest.raises(ConfigError, match=r"no signal 'chanels'.*did you mean 'channels'"):
        registry.find("chanels")


def test_signals_of_another_package_join_by_their_entry_point(toys):
    assert {"peak", "twin"} <= set(toys)


def test_an_entry_point_that_leads_elsewhere_is_refused(offering):
    offering("SOMETHING_ELSE")
    with pytest.raises(ConfigError, match=r"'SOMETHING_ELSE'.* leads to str: expected a Signal"):
        registry.signals()


def test_two_signals_of_one_name_are_refused(toys, offering, monkeypatch):
    monkeypatch.setitem(globals(), "AGAIN", toys["peak"])
    offering("AGAIN", "AGAIN")
    with pytest.raises(ConfigError, match="two signals or sets named 'peak'"):
        registry.signals()


def test_options_are_the_keyword_parameters_of_load(toys):
    assert registry.options_of(toys["deadly"]) == {"only_once": ""}


def test_a_measure_named_as_its_signal_is_not_named_twice():
    assert registry.measure_name("stoi", "stoi") == "stoi"
    assert registry.measure_name("loudness", "lra") == "loudness.lra"


def test_listing_signals_imports_nothing_that_one_of_them_needs():
    heavy = ("torch", "transformers", "onnxruntime", "faster_whisper", "pocketsphinx", "ray")
    code = "import sys; from auralign.signals.registry import signals; signals();"
    script = f"{code} print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
