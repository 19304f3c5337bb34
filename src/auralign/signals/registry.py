"""Every signal by its name: those of this room, and those of packages that offer theirs.

A module of signals ends with `SIGNALS`, a tuple. Another package joins with an entry point in the
group `auralign.signals` that leads to one `Signal` or to a tuple of them:

    [project.entry-points."auralign.signals"]
    mine = "my_package.signals:SIGNALS"
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from auralign.errors import ConfigError, did_you_mean
from auralign.signals.signal import Requirement, Signal

GROUP = "auralign.signals"
EXTRAS = ("speech", "asr", "mos", "hub", "restricted")

MODULES = tuple(
    f"auralign.signals.{name}"
    for name in (
        "measures.integrity",
        "measures.loudness",
        "measures.noise",
        "measures.fidelity",
        "measures.intelligibility",
        "measures.prosody",
        "measures.voice",
        "measures.functionals",
        "measures.transcripts",
        "models.sphinx",
        "models.world",
        "models.whisper",
        "models.mos_models",
        "models.hub_models",
        "models.restricted",
        "sets.set_level",
    )
)


@functools.cache
def signals() -> Mapping[str, Signal]:
    """Name -> signal, in the order in which pages and listings show them.

    Nothing that a signal needs is imported before it is loaded. Raises ConfigError when two have
    one name, or when what an entry point leads to is no signal.
    """
    own = [signal for module in MODULES for signal in _of_module(module)]
    found: dict[str, Signal] = {}
    for signal in (*own, *_of_other_packages()):
        if signal.name in found or signal.name in _SETS:
            raise ConfigError(f"there are two signals or sets named '{signal.name}': rename one")
        found[signal.name] = signal
    return found


def find(name: str) -> Signal:
    """The signal of that name; ConfigError suggests the near one."""
    known = signals()
    if name not in known:
        raise ConfigError(
            f"there is no signal '{name}'{did_you_mean(name, known)}; "
            "`auralign score --list` names them all"
        )
    return known[name]


def sets() -> dict[str, tuple[str, ...]]:
    """Named sets of signals.

    `offline` fetches nothing, each extra has one, and `set-level` are those about sets of clips.
    """
    return {
        name: tuple(s.name for s in signals().values() if is_member(s))
        for name, is_member in _SETS.items()
    }


def select(names: Iterable[str]) -> list[Signal]:
    """The signals and the members of the sets that are named, each once, in the order named."""
    groups = sets()
    wanted = [member for name in names for member in groups.get(name, (name,))]
    return [find(name) for name in dict.fromkeys(wanted)]


def options_of(signal: Signal) -> dict[str, Any]:
    """The options that a signal takes, with their defaults (`inspect.Parameter.empty` for none)."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(signal.load).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def check_options(signal: Signal, options: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option that the signal does not take."""
    known = options_of(signal)
    for name in options:
        if name not in known:
            there = f"; there are {', '.join(known)}" if known else ", it takes none"
            raise ConfigError(
                f"the signal '{signal.name}' takes no option '{name}'"
                f"{did_you_mean(name, known)}{there}"
            )


def measure_name(signal: str, measure: str) -> str:
    """What a measure is called outside of its signal: `loudness.lra`, or `stoi` for `stoi.stoi`."""
    return measure if measure == signal else f"{signal}.{measure}"


def measure_names(signal: Signal) -> list[str]:
    return [measure_name(signal.name, measure.name) for measure in signal.measures]


def _is_offline(signal: Signal) -> bool:
    fetches = signal.extra or signal.weights_licence or signal.download_bytes
    return not fetches and not _is_of_sets(signal)


def _is_of_sets(signal: Signal) -> bool:
    return Requirement.SET in signal.requires


def _of_extra(extra: str, signal: Signal) -> bool:
    return signal.extra == extra


_SETS: Mapping[str, Callable[[Signal], bool]] = {
    "offline": _is_offline,
    **{extra: functools.partial(_of_extra, extra) for extra in EXTRAS},
    "set-level": _is_of_sets,
}


def _of_module(module: str) -> Sequence[Signal]:
    found: Sequence[Signal] = importlib.import_module(module).SIGNALS
    return found


def _of_other_packages() -> list[Signal]:
    found: list[Signal] = []
    for point in entry_points(group=GROUP):
        offered = point.load()
        given = [offered] if isinstance(offered, Signal) else offered
        if not isinstance(given, (list, tuple)) or not all(isinstance(s, Signal) for s in given):
            raise ConfigError(
                f"the entry point '{point.name}' ({point.value}) leads to "
                f"{type(offered).__name__}: expected a Signal or a tuple of them"
            )
        found += given
    return found
