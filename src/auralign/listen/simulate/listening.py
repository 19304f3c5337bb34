"""The events of a listener who hears every clip to its end, once and in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def hear_all(trial: Mapping[str, Any], share: float = 1.0) -> tuple[list[dict[str, Any]], float]:
    """Events of playing `share` of each clip, and the time [ms] when the last one ends."""
    n, ms = trial["resume"]["n"], trial["resume"]["ms"]
    events: list[dict[str, Any]] = []
    for clip in trial["clips"]:
        heard_s = share * clip["duration_s"]
        index = clip["index"]
        events.append({"n": n, "ms": ms, "type": "play", "clip": index, "at": 0.0})
        # A timer rounds; one millisecond more does no harm, because a clip stops at its end.
        ms += 1_000 * heard_s + 1
        events.append({"n": n + 1, "ms": ms, "type": "pause", "clip": index, "at": heard_s})
        n += 2
    return events, ms
