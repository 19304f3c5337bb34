"""Word errors and speaking rate."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer

from auralign.errors import DataError


def normalise_words(text: str) -> str:
    """Lower case, without punctuation, one space between words.

    Apostrophes inside words stay (`don't`); digits are not spelled out.
    """
    kept = (c if c.isalnum() or c == "'" else " " for c in text.lower())
    return " ".join("".join(kept).split())


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> list[tuple[int, int]]:
    """Errors and reference words of each utterance, after `normalise_words`.

    Errors are substitutions, deletions and insertions of the least costly alignment
    (Levenshtein distance over words). An empty hypothesis deletes every word; against an empty
    reference every word is an insertion. Raises DataError for lists of unequal length.
    """
    if len(references) != len(hypotheses):
        raise DataError(
            f"word errors need one hypothesis for each reference, got {len(references)} "
            f"references and {len(hypotheses)} hypotheses"
        )
    pairs = zip(map(normalise_words, references), map(normalise_words, hypotheses), strict=True)
    return [_utterance_errors(reference, hypothesis) for reference, hypothesis in pairs]


def _utterance_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    n_words = len(reference.split())
    if not n_words:  # jiwer refuses empty references
        return len(hypothesis.split()), 0
    counts = jiwer.process_words(reference, hypothesis)
    return counts.substitutions + counts.deletions + counts.insertions, n_words


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[int, int]:
    """Errors and words over all utterances; the rate is their quotient where words > 0.

    Both are returned so that a caller can add them up and take clusters of utterances.
    """
    errors = word_errors(references, hypotheses)
    return sum(e for e, _ in errors), sum(n for _, n in errors)


def words_per_second(n_words: int, active_duration_s: float | None) -> float | None:
    """Speaking rate [words/s] over the active time; None where there is none."""
    return n_words / active_duration_s if active_duration_s else None
