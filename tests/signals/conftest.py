"""Signals of another package, which processes and nodes find as they would find any."""

import textwrap

import numpy as np
import pytest

from auralign.audio import as_audio, write_wav
from auralign.signals import registry

TOYS = """
    import os
    import signal
    from pathlib import Path

    import numpy as np

    from auralign.signals.signal import Direction, Measure, Missing, Requirement, Signal


    def _measure(name, low=None, high=None):
        return Measure(name, "", Direction.MAX, ("production_quality",), low, high)


    def _each(value):
        return lambda: lambda items: [{"value": value(item)} for item in items]


    def _toy(name, load, **fields):
        fields = {"measures": (_measure("value"),), "rejects_silence": False, **fields}
        return Signal(name=name, version=1, summary="A toy.", load=load, **fields)


    def _peak(item):
        return float(np.abs(item.audio.samples).max())


    def load_deadly(*, only_once=""):
        # Kills its process over a clip with this label; `only_once` is a file that says it did.
        def measure(items):
            for item in items:
                if item.label == "deadly" and not (only_once and Path(only_once).exists()):
                    if only_once:
                        Path(only_once).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            return [{"value": _peak(item)} for item in items]

        return measure


    def load_fragile():
        # A whole call fails when one of its clips has this label.
        def measure(items):
            if any(item.label == "bad" for item in items):
                raise ValueError("cannot hear it")
            return [{"value": float(len(items))} for item in items]

        return measure


    def load_moody(*, log):
        # Fails the first time that it is asked about a clip.
        def measure(items):
            seen = Path(log, items[0].clip_id)
            if not seen.exists():
                seen.touch()
                raise ValueError("not now")
            return [{"value": 1.0} for item in items]

        return measure


    def load_model(*, log=os.devnull):
        with open(log, "a") as stream:
            stream.write("loaded\\n")
        return lambda items: [{"value": 0.0} for item in items]


    def load_suicidal():
        os.kill(os.getpid(), signal.SIGKILL)


    def load_broken():
        raise RuntimeError("no such weights")


    def load_node():
        import time

        import ray

        def measure(items):
            time.sleep(0.5)
            return [{"value": float(int(ray.get_runtime_context().get_node_id()[:12], 16))}]

        return measure


    def load_two():
        return lambda items: [{"level": _peak(i), "tone": Missing("no pitch")} for i in items]


    ALIGNED = frozenset({Requirement.ALIGNED_REFERENCE})
    SIGNALS = (
        _toy("peak", _each(_peak)),
        _toy("rate", _each(lambda i: float(i.audio.sample_rate)), sample_rate=16_000),
        _toy("channels", _each(lambda i: float(i.audio.channels)), channels="any"),
        _toy("twin", _each(_peak), requires=ALIGNED),
        _toy("words", _each(lambda i: float(len(i.text))), requires=frozenset({Requirement.TEXT})),
        _toy("deadly", load_deadly),
        _toy("fragile", load_fragile, batchable=True),
        _toy("moody", load_moody),
        _toy("model_a", load_model, weights_licence="MIT"),
        _toy("model_b", load_model, weights_licence="CC-BY-NC-4.0"),
        _toy("suicidal", load_suicidal),
        _toy("broken", load_broken),
        _toy("node", load_node),
        _toy("wild", _each(_peak), measures=(_measure("value", 1.0, 4.5),)),
        _toy("two", load_two, measures=(_measure("level"), _measure("tone"))),
    )
"""


def install(folder, name, source):
    """A package in `folder` whose module offers its SIGNALS."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[auralign.signals]\ntoys = {name}:SIGNALS\n")


@pytest.fixture(scope="session")
def toy_package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    install(folder, "toy_signals", TOYS)
    return folder


@pytest.fixture
def toys(toy_package, monkeypatch):
    """The registry holds the toys, here and in every process that is started."""
    monkeypatch.syspath_prepend(str(toy_package))
    registry.signals.cache_clear()
    yield registry.signals()
    registry.signals.cache_clear()


@pytest.fixture
def tone():
    """A sine of a given length [s]: float32 [channels, time]."""

    def of(seconds=0.5, sample_rate=8_000, level=0.5, channels=1):
        time_s = np.arange(round(seconds * sample_rate)) / sample_rate
        sine = level * np.sin(2 * np.pi * 440 * time_s)
        return as_audio(np.tile(sine, (channels, 1)), sample_rate)

    return of


@pytest.fixture
def folder(tmp_path, tone):
    """Write clips: name -> level, every one with other samples."""

    def of(**levels):
        for name, level in levels.items():
            write_wav(tone(level=level), tmp_path / f"{name}.wav")
        return tmp_path

    return of
