"""What a study folder holds, in numbers."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

from auralign.data.study import StudyFolder
from auralign.types import Clip, Judgement, TrialProtocol


def study_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Counts of a study's prompts, clips and judgements, as plain data.

    Raises DataError for a study that cannot be read (`validate_study` then says all that is wrong).
    """
    study = StudyFolder.open(path)
    prompts, clips, judgements = study.prompts(), study.clips(), study.judgements()
    return {
        "name": study.header.name,
        "simulated": study.header.simulated,
        "has_audio": study.header.has_audio,
        "prompts": len(prompts),
        "prompts_by_split": _counts(prompt.split for prompt in prompts),
        "clips": len(clips),
        "clips_by_system": _counts(clip.system for clip in clips),
        **_audio_info(study, clips),
        **_judgement_info(judgements),
    }


def _audio_info(study: StudyFolder, clips: list[Clip]) -> dict[str, Any]:
    if not study.header.has_audio:
        return {"audio_seconds": None, "clips_by_sample_rate": None, "missing_audio_files": None}
    return {
        "audio_seconds": round(sum(clip.duration_s for clip in clips), 3),
        "clips_by_sample_rate": _counts(clip.sample_rate for clip in clips),
        "missing_audio_files": sum(not study.audio_path(clip).is_file() for clip in clips),
    }


def _judgement_info(judgements: list[Judgement]) -> dict[str, Any]:
    outcomes = [j.outcome for j in judgements if j.outcome is not None]
    return {
        "judgements": len(judgements),
        "judgements_by_protocol": _counts(j.protocol for j in judgements),
        "judgements_by_dimension": _counts(j.dimension for j in judgements),
        "judgements_by_source": _counts(j.source for j in judgements),
        "outcome_shares": {
            outcome: round(count / len(outcomes), 4) for outcome, count in _counts(outcomes).items()
        },
        "raters": len({j.rater for j in judgements}),
        "votes_per_pair": _votes_per_pair(judgements),
    }


def _votes_per_pair(judgements: Iterable[Judgement]) -> dict[str, float] | None:
    """Least, median and most answers about the same two clips on one dimension, in either order."""
    votes = Counter(
        (j.dimension, frozenset(j.candidates))
        for j in judgements
        if j.protocol is TrialProtocol.PAIR
    )
    if not votes:
        return None
    counts = sorted(votes.values())
    return {"min": counts[0], "median": statistics.median(counts), "max": counts[-1]}


def _counts(values: Iterable[Hashable]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items(), key=str)}
