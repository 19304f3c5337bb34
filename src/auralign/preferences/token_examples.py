"""From a study folder to examples for a trainer of token policies, by the rules of this room."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence

from auralign.data.examples import Example, TokenFeedback, TokenList, TokenPair
from auralign.data.study import StudyFolder, path_within
from auralign.data.token_files import read_clip_tokens, read_token_archive
from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.preferences.feedback import feedback_from_thumbs
from auralign.preferences.lists import lists_from_rankings, lists_from_ratings
from auralign.preferences.pairs import pairs_from_votes
from auralign.types import Feedback, PreferencePair, Prompt, RankedList, Source, Tokens

Record = PreferencePair | Feedback | RankedList

RULES: dict[str, Callable[..., Sequence[Record]]] = {
    "votes": pairs_from_votes,
    "thumbs": feedback_from_thumbs,
    "rankings": lists_from_rankings,
    "ratings": lists_from_ratings,
}
"""By the kind of answer: votes give pairs, thumbs feedback, rankings and ratings lists."""


def token_examples(
    study_dir: str | os.PathLike[str],
    *,
    kind: str,
    dimension: str,
    tokens: str | os.PathLike[str] | None = None,
) -> list[Example]:
    """What listeners of a study said on one dimension, with the codes of the clips.

    kind     of the answers that are used, one of `RULES`
    tokens   archive with the codes of clips whose `tokens_path` is empty, such as `tokens.npz` of
             a run (`data.token_files.read_token_archive`)

    What metrics say is left out. Every split is there; `prompt.split` tells them apart. Pairs keep
    `p_chosen`, also 0.5 for clips that are alike. Raises ConfigError for an unknown kind, DataError
    for a study without such answers or with a clip whose codes are not to be found.
    """
    if kind not in RULES:
        raise ConfigError(
            f"expected a kind of answers out of {', '.join(RULES)}, got '{kind}'"
            f"{did_you_mean(kind, RULES)}"
        )
    study = StudyFolder.open(study_dir)
    prompts = {prompt.id: prompt for prompt in study.prompts()}
    answers = [j for j in study.judgements(dimension) if j.source is not Source.METRIC]
    records = RULES[kind](answers, prompts, dimension=dimension)
    if not records:
        raise DataError(
            f"{study.path}: expected {kind} on '{dimension}', got none that tells clips apart: "
            f"choose another kind ({', '.join(RULES)}) or dimension "
            f"({', '.join(study.header.dimensions)})"
        )
    clip_ids = {clip_id for record in records for clip_id in _clip_ids(record)}
    codes = _codes(study, clip_ids, tokens)
    return [_example(record, prompts[record.prompt_id], codes) for record in records]


def _clip_ids(record: Record) -> tuple[str, ...]:
    match record:
        case PreferencePair():
            return record.chosen, record.rejected
        case Feedback():
            return (record.clip,)
        case RankedList():
            return record.clips


def _codes(
    study: StudyFolder, clip_ids: Collection[str], archive: str | os.PathLike[str] | None
) -> dict[str, Tokens]:
    """Clip id -> codes, from the file that the clip names, else from the archive."""
    codes = {} if archive is None else read_token_archive(archive)
    for clip in study.clips():
        if clip.tokens_path is not None and clip.id in clip_ids:
            codes[clip.id] = read_clip_tokens(path_within(study.path, clip.tokens_path))
    missing = sorted(clip_ids - codes.keys())
    if missing:
        raise DataError(
            f"{study.path}: expected codes of {len(clip_ids)} judged clips, got none of "
            f"{len(missing)}, the first {missing[0]}: encode them, and name their files in the "
            "column tokens_path of clips.parquet or give an archive of them"
        )
    return codes


def _example(record: Record, prompt: Prompt, codes: Mapping[str, Tokens]) -> Example:
    match record:
        case PreferencePair():
            return TokenPair(
                prompt=prompt,
                chosen=codes[record.chosen],
                rejected=codes[record.rejected],
                weight=record.weight,
                p_chosen=record.p_chosen,
                dimension=record.dimension,
            )
        case Feedback():
            return TokenFeedback(
                prompt=prompt,
                clip=codes[record.clip],
                desirable=record.desirable,
                weight=record.weight,
                dimension=record.dimension,
            )
        case RankedList():
            return TokenList(
                prompt=prompt,
                clips=tuple(codes[clip] for clip in record.clips),
                scores=record.scores,
                dimension=record.dimension,
            )
