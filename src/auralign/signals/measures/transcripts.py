"""Word and character errors of transcripts that a named recogniser has made before.

The transcripts come as a file of JSON lines with `clip_id`, the hash of the clip's samples, `text`,
what was heard, and `recogniser`, the name and version of what heard it, the same in all lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import jiwer

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.files import reading
from auralign.signals.measures.english import normalise_english
from auralign.signals.measures.measurers import all_missing, each
from auralign.signals.recognisers.words import normalise_words
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Missing,
    Requirement,
    Signal,
    Values,
)

Normaliser = Literal["english", "plain"]

NORMALISERS: Mapping[str, Callable[[str], str]] = {
    "english": normalise_english,
    "plain": normalise_words,
}
RATES = ("wer", "cer", "substitutions", "deletions", "insertions")


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard."""

    text: str
    recogniser: str


def error_rates(
    text: str, heard: str, normaliser: Normaliser = "english"
) -> dict[str, float] | None:
    """Errors of the least costly alignment over the length of the text; None without any word.

    wer                                      word errors over words
    cer                                      character errors over characters, spaces counted
    substitutions, deletions, insertions     the three kinds of word errors, over words

    Both texts are normalised first. Rates exceed one where much is inserted.
    """
    normalise = _normaliser(normaliser)
    asked, said = normalise(text), normalise(heard)
    if not asked:
        return None
    words, characters = jiwer.process_words(asked, said), jiwer.process_characters(asked, said)
    n_words = len(asked.split())
    return {
        "wer": float(words.wer),
        "cer": float(characters.cer),
        "substitutions": words.substitutions / n_words,
        "deletions": words.deletions / n_words,
        "insertions": words.insertions / n_words,
    }


def _normaliser(name: str) -> Callable[[str], str]:
    if name not in NORMALISERS:
        known = ", ".join(NORMALISERS)
        raise ConfigError(
            f"the normaliser '{name}' is not one of {known}{did_you_mean(name, NORMALISERS)}"
        )
    return NORMALISERS[name]


def read_transcripts(path: str | os.PathLike[str]) -> dict[str, Transcript]:
    """Clip id -> transcript.

    Raises DataError for anything else, also for a clip heard twice or by several recognisers,
    whose error rates are not comparable.
    """
    transcripts: dict[str, Transcript] = {}
    with (
        reading(path, "JSON lines with clip_id, text and recogniser"),
        open(path, encoding="utf-8") as lines,
    ):
        for number, line in enumerate(lines, start=1):
            if line.strip():
                clip_id, transcript = _transcript(json.loads(line), f"{path} line {number}")
                if clip_id in transcripts:
                    raise DataError(f"{path} line {number}: the clip {clip_id} is there twice")
                transcripts[clip_id] = transcript
    recognisers = sorted({t.recogniser for t in transcripts.values()})
    if len(recognisers) > 1:
        raise DataError(f"{path}: expected one recogniser, got {', '.join(recognisers)}")
    return transcripts


def _transcript(row: object, where: str) -> tuple[str, Transcript]:
    names = ("clip_id", "text", "recogniser")
    if not isinstance(row, dict) or any(not isinstance(row.get(name), str) for name in names):
        raise DataError(f"{where}: expected an object with texts for {', '.join(names)}")
    if not row["recogniser"]:
        raise DataError(f"{where}: the recogniser has no name: say what heard the clip")
    return row["clip_id"], Transcript(row["text"], row["recogniser"])


def load(*, transcripts: str = "", normaliser: Normaliser = "english") -> Measurer:
    """Raises ConfigError for an unknown normaliser, DataError for a broken file."""
    _normaliser(normaliser)
    heard = read_transcripts(transcripts) if transcripts else {}
    return each(lambda item: _measure(item, heard, normaliser))


def _measure(item: Item, heard: Mapping[str, Transcript], normaliser: Normaliser) -> Values:
    if item.clip_id not in heard:
        return all_missing(RATES, "the option `transcripts` names no file with this clip in it")
    rates = error_rates(item.text or "", heard[item.clip_id].text, normaliser)
    return rates or {name: Missing("the text has no words") for name in RATES}


_CONTENT = ("content_preservation",)

SIGNALS = (
    Signal(
        name="transcript",
        version=1,
        summary="Word and character error rate of transcripts that were made before, against the "
        "asked text. Both are normalised: `english` spells numbers and titles out, `plain` only "
        "lowers the case and drops punctuation.",
        measures=(
            Measure("wer", "", Direction.MIN, _CONTENT, 0),
            Measure("cer", "", Direction.MIN, _CONTENT, 0),
            Measure("substitutions", "", Direction.MIN, _CONTENT, 0, 1),
            Measure("deletions", "", Direction.MIN, _CONTENT, 0, 1),
            Measure("insertions", "", Direction.MIN, _CONTENT, 0),
        ),
        load=load,
        requires=frozenset({Requirement.TEXT}),
        rejects_silence=False,
        failures=(
            "as good as the recogniser: its language model repairs words that were said wrongly",
            "recognisers invent words in silence and noise",
            "blind to prosody: optimised alone it flattens speech (arXiv 2509.18531)",
            "years, currencies and dates are spelled as plain numbers",
        ),
    ),
)
