"""What is written of a selection: the clips, and a table of all candidates."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from auralign.audio import write_wav
from auralign.files import write_bytes, write_text
from auralign.test_time.selection import NOBODY, Selection
from auralign.types import Codec, Prompt

COLUMNS = ("prompt", "score", "chosen", "excluded", "ended", "frames", "clip")


def write_selection(
    folder: Path, prompts: Sequence[Prompt], selection: Selection, codec: Codec | None
) -> None:
    """`candidates.csv` and `clips/` in an existing folder; audio where there is a codec."""
    write_text(folder / "candidates.csv", _table(prompts, selection))
    (folder / "clips").mkdir()
    clips = {i: clip for i, clip in enumerate(selection.clips) if clip is not None}
    for i, clip in clips.items():
        stream = io.BytesIO()
        np.save(stream, clip)
        write_bytes(folder / _codes_file(i), stream.getvalue())
    if codec is not None and clips:
        for i, audio in zip(clips, codec.decode(list(clips.values())), strict=True):
            write_wav(audio, (folder / _codes_file(i)).with_suffix(".wav"))


def summary(selection: Selection) -> dict[str, Any]:
    """Counts, and means over the clips that have a score."""
    scores, chosen = selection.scores, selection.chosen[selection.chosen != NOBODY]
    known = scores[~np.isnan(scores)]
    of_chosen = scores[chosen][~np.isnan(scores[chosen])]
    return {
        "n_prompts": len(selection.chosen),
        "n_without_clip": len(selection.chosen) - len(chosen),
        "n_candidates": len(scores),
        "n_without_score": len(scores) - len(known),
        "mean_score_of_candidates": float(known.mean()) if len(known) else None,
        "mean_score_of_chosen": float(of_chosen.mean()) if len(of_chosen) else None,
    }


def _table(prompts: Sequence[Prompt], selection: Selection) -> str:
    """One row a candidate; a score that is missing is an empty cell."""
    lines = io.StringIO()
    table = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(_row(i, prompts, selection) for i in range(len(selection.scores)))
    return lines.getvalue()


def _row(i: int, prompts: Sequence[Prompt], selection: Selection) -> Mapping[str, Any]:
    candidates, score = selection.candidates, float(selection.scores[i])
    prompt = int(candidates.prompt_index[i])
    is_chosen = selection.chosen[prompt] == i
    return {
        "prompt": prompts[prompt].id,
        "score": "" if np.isnan(score) else score,
        "chosen": int(is_chosen),
        "excluded": int(selection.excluded[i]),
        "ended": int(candidates.terminated[i]),
        "frames": candidates.tokens[i].shape[1],
        "clip": _codes_file(prompt) if is_chosen else "",
    }


def _codes_file(prompt: int) -> str:
    return f"clips/{prompt:04d}.npy"
