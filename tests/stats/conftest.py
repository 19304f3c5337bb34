"""Short ways to write judgements down."""

from collections.abc import Callable

import pytest

from auralign.types import Candidate, Judgement, Outcome, Source, TrialProtocol

MakePair = Callable[..., Judgement]
MakeRating = Callable[..., Judgement]


@pytest.fixture
def pair() -> MakePair:
    def make(
        first: str,
        second: str,
        outcome: Outcome | str | None,
        rater: str = "ann",
        prompt: str = "p1",
        dimension: str = "overall",
    ) -> Judgement:
        return Judgement(
            trial=f"{prompt}:{first}-{second}",
            protocol=TrialProtocol.PAIR,
            dimension=dimension,
            prompt_id=prompt,
            candidates=(Candidate(first), Candidate(second)),
            rater=rater,
            source=Source.HUMAN,
            outcome=None if outcome is None else Outcome(outcome),
        )

    return make


@pytest.fixture
def rating() -> MakeRating:
    def make(
        clip: str,
        value: float | None,
        rater: str = "ann",
        dimension: str = "overall",
        scale: tuple[float, float] | None = (1.0, 5.0),
    ) -> Judgement:
        return Judgement(
            trial=f"rate:{clip}",
            protocol=TrialProtocol.RATING,
            dimension=dimension,
            prompt_id="p1",
            candidates=(Candidate(clip),),
            rater=rater,
            source=Source.HUMAN,
            rating=value,
            scale=scale,
        )

    return make
