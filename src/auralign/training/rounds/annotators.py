"""Who judges the candidates of a round: people by their votes in files, a judge, or a reward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from auralign.data.examples import TokenPair
from auralign.errors import DataError
from auralign.training.rounds.context import (
    Annotate,
    Judge,
    Reward,
    RoundContext,
    WaitingForVotes,
)
from auralign.training.rounds.folder import pairs_in
from auralign.training.rounds.records import Annotation, Candidates
from auralign.types import (
    Candidate,
    Clip,
    Judgement,
    Outcome,
    Prompt,
    Score,
    ScoreStatus,
    Source,
    Tokens,
    TrialProtocol,
)

P_FIRST = "p_first"
"""In the context of a judge's answer: the probability that the first clip is preferred."""


class JudgeByExample(Protocol):
    """A judge that is shown pairs with their order before it answers, such as an audio LLM."""

    def __call__(
        self,
        prompts: Sequence[Prompt],
        first: Sequence[Tokens],
        second: Sequence[Tokens],
        *,
        examples: Sequence[TokenPair],
    ) -> NDArray[np.float64]: ...


def ask_people(n_votes: int, *, dimension: str = "overall") -> Annotate:
    """Waits until people have given `n_votes` answers in the study of the round.

    The answers are what `judgements.parquet` of the study holds, however they came there: a
    listening-test server, or an import of votes. What is there when the round goes on is copied,
    and later answers change nothing. Raises WaitingForVotes, which says where they belong.
    """

    def annotate(candidates: Candidates, context: RoundContext) -> Annotation:
        answers = [j for j in candidates.study.judgements() if j.source is Source.HUMAN]
        n_given = sum(answer.dimension == dimension for answer in answers)
        if n_given < n_votes:
            raise WaitingForVotes(
                f"waiting for votes in {candidates.study.path}: expected {n_votes} answers of "
                f"people on '{dimension}' in round {context.number}, got {n_given}: let "
                "listeners answer, write their judgements there, and run the same rounds again"
            )
        return Annotation(answers)

    return annotate


def ask_reward(reward: Reward, *, name: str) -> Annotate:
    """Every candidate gets a score; a clip without one is recorded as failed, not as zero."""

    def annotate(candidates: Candidates, context: RoundContext) -> Annotation:
        values = reward(*candidates.asked(candidates.clips))
        if np.isnan(values).all():
            raise DataError(f"reward '{name}': expected scores of clips, and it could score none")
        scores = [_score(clip, name, v) for clip, v in zip(candidates.clips, values, strict=True)]
        return Annotation(scores=scores)

    return annotate


def ask_judge(judge: Judge, *, name: str, dimension: str = "overall") -> Annotate:
    """A judge compares every two clips of a prompt in both orders.

    Both orders, because judges favour a side (its bias then cancels in the mean). An answer holds
    the side that the judge prefers, and its probability in the context. Raises DataError for
    answers that are no probabilities.
    """

    def annotate(candidates: Candidates, context: RoundContext) -> Annotation:
        trials = [
            pair for clips in candidates.by_prompt().values() for pair in permutations(clips, 2)
        ]
        if not trials:
            raise DataError(f"judge '{name}': expected two clips of a prompt, got single ones")
        first, second = zip(*trials, strict=True)
        prompts, codes = candidates.asked(first)
        p_first = np.asarray(judge(prompts, codes, candidates.asked(second)[1]), dtype=np.float64)
        if not ((p_first >= 0) & (p_first <= 1)).all():
            raise DataError(f"judge '{name}': expected probabilities from 0 to 1 that a clip wins")
        return Annotation(
            [
                _answer(f"{name}-{i:05d}", pair, p, name, dimension)
                for i, (pair, p) in enumerate(zip(trials, p_first.tolist(), strict=True))
            ]
        )

    return annotate


def ask_judge_by_example(
    judge: JudgeByExample, n_examples: int, *, name: str, dimension: str = "overall"
) -> Annotate:
    """As `ask_judge`, with examples from the pairs of the round before: the judge is refreshed.

    n_examples   at most so many, drawn anew for each round; none in round 1

    Source: arXiv 2310.16271 (CycleAlign), where they are pairs that judge and policy agree on
    (`curation.agreement`).
    """

    def annotate(candidates: Candidates, context: RoundContext) -> Annotation:
        before = context.folder_before
        pairs = pairs_in(before / "examples.parquet") if before else []
        drawn = context.rng("examples of the judge").permutation(len(pairs))[:n_examples]
        shown = [pairs[i] for i in drawn]

        def refreshed(
            prompts: Sequence[Prompt], first: Sequence[Tokens], second: Sequence[Tokens]
        ) -> NDArray[np.float64]:
            return judge(prompts, first, second, examples=shown)

        return ask_judge(refreshed, name=name, dimension=dimension)(candidates, context)

    return annotate


def bradley_terry_judge(reward: Reward) -> Judge:
    """The judge that a reward in logits implies: sigmoid of the difference of two rewards."""

    def judge(
        prompts: Sequence[Prompt], first: Sequence[Tokens], second: Sequence[Tokens]
    ) -> NDArray[np.float64]:
        return np.asarray(expit(reward(prompts, first) - reward(prompts, second)))

    return judge


def _score(clip: Clip, name: str, value: float) -> Score:
    if np.isnan(value):
        return Score(clip.id, name, None, ScoreStatus.FAILED, "the reward gave no number")
    return Score(clip.id, name, float(value))


def _answer(
    trial: str, pair: tuple[Clip, Clip], p_first: float, name: str, dimension: str
) -> Judgement:
    outcome = Outcome.TIE if p_first == 0.5 else Outcome.A if p_first > 0.5 else Outcome.B
    return Judgement(
        trial=trial,
        protocol=TrialProtocol.PAIR,
        dimension=dimension,
        prompt_id=pair[0].prompt_id,
        candidates=(Candidate(pair[0].id), Candidate(pair[1].id)),
        rater=name,
        source=Source.JUDGE,
        outcome=outcome,
        context={P_FIRST: repr(p_first)},
    )
