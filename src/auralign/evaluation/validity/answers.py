"""What was said of the clips of a study on one dimension, as pairs that a signal can be held to.

Comparisons are taken as they are. Of rankings every order that they imply is taken, of ratings the
order of the clips' mean ratings. What a signal said is never among the answers.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from auralign.data import StudyFolder
from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import comparisons_from, comparisons_of, encode
from auralign.stats.ratings.table import rating_judgements, rating_value
from auralign.stats.studies.selection import judgements_on, known_clips
from auralign.types import Clip, Comparisons, Judgement, Outcome, Source, TrialProtocol

LISTENERS = (Source.HUMAN, Source.SIMULATED, Source.JUDGE, Source.SYNTHETIC)
"""Whose answers are taken where a study has several kinds: the first of these."""

PROTOCOLS = tuple(
    TrialProtocol(name) for name in ("pair", "ranking", "best_worst", "rating", "thumbs")
)
_OF_ONE_CLIP = (TrialProtocol.RATING, TrialProtocol.THUMBS)

MOST_ACROSS = 500
"""Of more clips than this that share no prompt, so many are drawn, whose pairs are a square."""


@dataclass(frozen=True, eq=False)
class Answers:
    """One dimension of a study, by one kind of listeners and one protocol.

    clips     that were judged, by id, in the order of `pairs.items`
    pairs     outcome 1 where the first clip was found better, 0 the second, 0.5 alike: a row for
              each answer, or of ratings for each pair of clips
    margin    how clearly, `[pairs]`: from 0 (votes divided) to 1 (all agree), or the difference of
              mean ratings
    ratings   the mean of each clip, `[clips]`, where clips were rated
    prompt    index of the prompt of each clip `[clips]`, and of its system
    """

    folder: StudyFolder
    dimension: str
    protocol: TrialProtocol
    source: Source
    clips: tuple[Clip, ...]
    pairs: Comparisons
    margin: FloatArray
    ratings: FloatArray | None
    prompt: IntArray
    system: IntArray
    systems: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    warnings: tuple[str, ...]

    @property
    def n_prompts(self) -> int:
        return len(np.unique(self.prompt))

    @property
    def within_prompts(self) -> bool:
        """False where no two clips answer one prompt, so that pairs are across prompts."""
        return bool((self.prompt[self.pairs.first] == self.prompt[self.pairs.second]).all())


def study_answers(
    study: str | os.PathLike[str],
    dimension: str | None = None,
    *,
    protocol: str | None = None,
    condition: str | None = None,
    split: str | None = None,
    rng: np.random.Generator,
) -> Answers:
    """The answers of a study folder; `dimension` is `overall` or the only one when None.

    `protocol` may be left out where the study used one; of several, comparisons come before
    rankings before ratings. `condition` and `split` keep the prompts that have them. Raises
    DataError, with what there is, when nothing is left or no answer tells two clips apart.
    """
    folder = StudyFolder.open(study)
    dimension = dimension or _dimension(folder)
    judgements = judgements_on(folder, dimension, condition)
    by_source = _by_source(judgements if split is None else _of_split(folder, judgements, split))
    source = next(s for s in LISTENERS if s in by_source)
    chosen = _protocol(by_source[source], protocol, dimension)
    found = [j for j in by_source[source] if j.protocol is chosen]
    answered = [j for j in found if j.outcome is not Outcome.SKIP]
    if not answered:
        raise DataError(f"{folder.path}: all {len(found)} answers on '{dimension}' are skips")
    by_id = known_clips(folder.clips(), answered)
    pairs, ratings = _pairs(answered, dimension, chosen, by_id, rng)
    clips = tuple(by_id[name] for name in pairs.items)
    systems, system = encode([clip.system for clip in clips])
    return Answers(
        folder=folder,
        dimension=dimension,
        protocol=chosen,
        source=source,
        clips=clips,
        pairs=pairs,
        margin=_margin(pairs, ratings),
        ratings=ratings,
        prompt=encode([clip.prompt_id for clip in clips])[1],
        system=system,
        systems=systems,
        judgements=tuple(answered),
        warnings=(*_remarks(folder, by_source, source, chosen, protocol), *_drawn(answered, clips)),
    )


def _dimension(folder: StudyFolder) -> str:
    judged = {j.dimension for j in folder.judgements() if j.source in LISTENERS}
    if "overall" in judged or len(judged) == 1:
        return "overall" if "overall" in judged else judged.pop()
    raise DataError(
        f"{folder.path}: say which --dimension; listeners judged "
        f"{', '.join(sorted(judged)) or 'none'}"
    )


def _of_split(folder: StudyFolder, judgements: Iterable[Judgement], split: str) -> list[Judgement]:
    splits = {prompt.id: prompt.split for prompt in folder.prompts()}
    found = [j for j in judgements if splits[j.prompt_id] == split]
    if not found:
        known = ", ".join(sorted(set(splits.values())))
        raise DataError(
            f"{folder.path}: expected answers on prompts of the split '{split}', found none; the "
            f"prompts are of {known}"
        )
    return found


def _by_source(judgements: Iterable[Judgement]) -> dict[Source, list[Judgement]]:
    found: defaultdict[Source, list[Judgement]] = defaultdict(list)
    for j in judgements:
        found[j.source].append(j)
    return found


def _protocol(judgements: Sequence[Judgement], wanted: str | None, dimension: str) -> TrialProtocol:
    counts = Counter(j.protocol for j in judgements)
    if wanted is None:
        return next(p for p in PROTOCOLS if p in counts)
    if wanted not in counts:
        there = ", ".join(f"{n} of {p}" for p, n in counts.items())
        raise DataError(
            f"expected {wanted} judgements on '{dimension}', found none; there are {there}"
        )
    return TrialProtocol(wanted)


def _remarks(
    folder: StudyFolder,
    by_source: Mapping[Source, Sequence[Judgement]],
    source: Source,
    protocol: TrialProtocol,
    wanted: str | None,
) -> Iterator[str]:
    if folder.header.simulated or source is Source.SIMULATED:
        yield "all listeners are simulated: programs, not people"
    if source in (Source.JUDGE, Source.SYNTHETIC):
        yield f"no listener was asked: the answers are of source '{source}'"
    others = {s: len(js) for s, js in by_source.items() if s is not source}
    if others:
        yield "left out: " + ", ".join(f"{n} answers of source '{s}'" for s, n in others.items())
    counts = Counter(j.protocol for j in by_source[source])
    rest = ", ".join(f"{n} {p} judgements" for p, n in counts.items() if p is not protocol)
    if rest and wanted is None:
        yield f"left out: {rest} (see --protocol)"


def _drawn(answered: Iterable[Judgement], clips: Sequence[Clip]) -> Iterator[str]:
    n = len({candidate.clip_id for j in answered for candidate in j.candidates})
    if len(clips) < n:
        yield f"{len(clips)} of {n} clips count: those that can be compared with another"


def _pairs(
    answers: Sequence[Judgement],
    dimension: str,
    protocol: TrialProtocol,
    clips: Mapping[str, Clip],
    rng: np.random.Generator,
) -> tuple[Comparisons, FloatArray | None]:
    """The pairs, and the mean ratings of their clips where they were rated."""
    if protocol is TrialProtocol.PAIR:
        return comparisons_from(answers, dimension), None
    if protocol not in _OF_ONE_CLIP:
        implied = [pair for j in answers for pair in implied_pairs(j)]
        return comparisons_from(implied, dimension), None
    means = mean_ratings(answers, dimension)
    names = sorted(means)
    first, second = _same_prompt([clips[name].prompt_id for name in names])
    if not len(first):
        names = sorted(rng.permutation(names)[:MOST_ACROSS].tolist())
        first, second = np.triu_indices(len(names), 1)
    if not len(first):
        raise DataError(f"only one clip was rated on '{dimension}': rate others, too")
    values = np.array([means[name] for name in names])
    outcome = (1 + np.sign(values[first] - values[second])) / 2
    return comparisons_of(first, second, outcome, items=names), values


def implied_pairs(judgement: Judgement) -> Iterator[Judgement]:
    """A comparison for every order that a ranking or a choice of best and worst implies."""
    placed = judgement.ranking or ()
    rest = [k for k in range(len(judgement.candidates)) if k not in placed]
    groups = [[k] for k in placed]
    groups.insert(1 if judgement.protocol is TrialProtocol.BEST_WORST else len(groups), rest)
    for better, worse in combinations(groups, 2):
        for a in better:
            for b in worse:
                yield replace(
                    judgement,
                    protocol=TrialProtocol.PAIR,
                    candidates=(judgement.candidates[a], judgement.candidates[b]),
                    outcome=Outcome.A,
                    ranking=None,
                )


def mean_ratings(judgements: Sequence[Judgement], dimension: str) -> dict[str, float]:
    """The mean rating of each clip; DataError for ratings on different scales."""
    as_ratings = [replace(j, protocol=TrialProtocol.RATING) for j in judgements]
    ratings: defaultdict[str, list[float]] = defaultdict(list)
    for j in rating_judgements(as_ratings, dimension):
        ratings[j.candidates[0].clip_id].append(rating_value(j))
    return {clip: float(np.mean(values)) for clip, values in ratings.items()}


def _same_prompt(prompts: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Indices of every two clips that answer one prompt."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for k, prompt in enumerate(prompts):
        members[prompt].append(k)
    pairs = [pair for of_prompt in members.values() for pair in combinations(of_prompt, 2)]
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return first, second


def _margin(pairs: Comparisons, ratings: FloatArray | None) -> FloatArray:
    if ratings is not None:
        return np.abs(ratings[pairs.first] - ratings[pairs.second])
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    _, stimulus = np.unique(low * len(pairs.items) + high, return_inverse=True)
    for_low = np.where(pairs.first == low, pairs.outcome, 1 - pairs.outcome)
    share = np.bincount(stimulus, for_low) / np.bincount(stimulus)
    margin: FloatArray = np.abs(2 * share - 1)[stimulus]
    return margin
