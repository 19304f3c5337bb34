"""The clips of a test as they are played, and what was done to each of them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign.files import atomic_dir, to_json, write_json
from auralign.listen.protocols.test_type import Role
from auralign.listen.settings import TestSettings

LIST_NAME = "prepared.json"
HEADPHONES = "headphones"
"""The prompt of the clips of a headphone check."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip as it is played, and what was done to it.

    duration_s    as it is played
    sound_s       without the silence that pads it
    gain_db       applied; the loudness and the true peak were measured before
    """

    clip_id: str
    prompt_id: str
    system: str
    role: Role
    path: str
    duration_s: float
    sound_s: float
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None
    gain_db: float = 0.0
    expected: str | None = None


def prepared_clips(folder: Path, settings: TestSettings) -> list[Prepared]:
    """The clips of the test, prepared into its study folder `stimuli` unless they are there.

    They are prepared again when what `test.yaml` says about them has changed. Raises DataError or
    AudioError, naming the file, for one that cannot be played or judged, ConfigError for a
    reference that is no system.
    """
    out, key = folder / "stimuli", _key(settings)
    known = _read_known(out / LIST_NAME)
    if known is not None and known["key"] == key:
        return [Prepared(**row) for row in known["clips"]]
    # Loads SciPy's filters, on which a server that starts again should not wait.
    from auralign.listen.material.prepare import prepare_all

    with atomic_dir(out, replace=True) as aside:
        prepared = prepare_all(folder, aside, settings)
        write_json(aside / LIST_NAME, {"key": key, "clips": prepared})
    return prepared


def _key(settings: TestSettings) -> str:
    """What the prepared clips depend on."""
    chosen = settings.model_dump(
        mode="json", include={"seed": True, "test": True, "clips": True, "checks": {"headphones"}}
    )
    return to_json(chosen, sort_keys=True)


def _read_known(path: Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
