"""Where the measures of a run go: a file of JSON lines, and any tracker of Accelerate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auralign.errors import ConfigError, MissingExtraError, did_you_mean
from auralign.files import to_json, write_text


@dataclass
class MetricsLog:
    """One JSON object a line, with its step; NaN and infinities become null.

    A run that goes on from a checkpoint takes back what it had logged beyond it.
    """

    path: Path
    trackers: Sequence[Any] = ()
    _began: bool = field(default=False, init=False)

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        if not self._began:
            self._began = True
            self._keep_steps_before(step)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(to_json({"step": step, **values}) + "\n")
        for tracker in self.trackers:
            tracker.log(dict(values), step=step)

    def close(self) -> None:
        for tracker in self.trackers:
            tracker.finish()

    def _keep_steps_before(self, step: int) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        write_text(self.path, "".join(line for line in whole if json.loads(line)["step"] < step))


def require_trackers(names: Sequence[str]) -> None:
    """Raise ConfigError for a name that Accelerate does not know, MissingExtraError without it."""
    if not names:
        return
    try:
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS
    except ModuleNotFoundError as error:
        raise MissingExtraError("accelerate", "trackers") from error
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise ConfigError(
                f"expected a tracker out of {', '.join(LOGGER_TYPE_TO_CLASS)}, got '{name}'"
                f"{did_you_mean(name, LOGGER_TYPE_TO_CLASS)}"
            )


def open_trackers(names: Sequence[str], folder: Path) -> list[Any]:
    """Trackers of Accelerate by name (tensorboard, wandb, ...), which write below `folder`.

    Raises MissingExtraError without Accelerate or the tracker's own library, ConfigError for a name
    that Accelerate does not know.
    """
    if not names:
        return []
    try:
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS
    except ModuleNotFoundError as error:
        raise MissingExtraError("accelerate", "trackers") from error
    PartialState()  # Accelerate's trackers ask it which process writes
    trackers = []
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise ConfigError(
                f"expected a tracker out of {', '.join(LOGGER_TYPE_TO_CLASS)}, got '{name}'"
                f"{did_you_mean(name, LOGGER_TYPE_TO_CLASS)}"
            )
        kind = LOGGER_TYPE_TO_CLASS[name]
        where = {"logging_dir": folder} if kind.requires_logging_directory else {}
        tracker = kind("auralign", **where)
        try:
            tracker.start()
        except ModuleNotFoundError as error:
            raise MissingExtraError(str(error.name), "trackers") from error
        trackers.append(tracker)
    return trackers
