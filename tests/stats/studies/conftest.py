"""Small study folders, written from plain tuples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from auralign.data import StudyFolder
from auralign.types import (
    Candidate,
    Clip,
    Judgement,
    Outcome,
    Prompt,
    Source,
    TrialProtocol,
)

MakeStudy = Callable[..., Path]


@pytest.fixture
def write_study(tmp_path) -> MakeStudy:
    """A study of the judgements; a clip id is "prompt/system", a prompt "condition-...".

    Prompts, clips and dimensions are those that the judgements name.
    """

    def write(judgements: Iterable[Judgement], *, simulated: bool = False, **header) -> Path:
        judgements = list(judgements)
        names = sorted({c.clip_id for j in judgements for c in j.candidates})
        prompts = sorted({j.prompt_id for j in judgements})
        study = StudyFolder.create_without_audio(
            tmp_path / "study",
            name="small",
            simulated=simulated,
            dimensions=sorted({j.dimension for j in judgements}),
            notes="",
            prompts=[Prompt(p, "", condition=p.partition("-")[0]) for p in prompts],
            clips=[Clip(n, n, 0, 0, 0, n.partition("/")[0], n.partition("/")[2]) for n in names],
            judgements=judgements,
            force=True,
            **header,
        )
        return study.path

    return write


def vote(
    first: str,
    second: str,
    outcome: str,
    *,
    rater: str = "ann",
    prompt: str = "p",
    trial: str | None = None,
    dimension: str = "overall",
    **fields,
) -> Judgement:
    """A comparison of two systems on a prompt."""
    return Judgement(
        trial=trial or f"{prompt}:{first}-{second}",
        protocol=TrialProtocol.PAIR,
        dimension=dimension,
        prompt_id=prompt,
        candidates=(Candidate(f"{prompt}/{first}"), Candidate(f"{prompt}/{second}")),
        rater=rater,
        source=Source.HUMAN,
        outcome=Outcome(outcome),
        **fields,
    )


def rating(
    system: str,
    value: float,
    *,
    rater: str = "ann",
    prompt: str = "p",
    scale: tuple[float, float] = (0.0, 10.0),
    dimension: str = "overall",
) -> Judgement:
    """A rating of a system's clip for a prompt."""
    return Judgement(
        trial=f"{prompt}/{system}",
        protocol=TrialProtocol.RATING,
        dimension=dimension,
        prompt_id=prompt,
        candidates=(Candidate(f"{prompt}/{system}"),),
        rater=rater,
        source=Source.HUMAN,
        rating=value,
        scale=scale,
    )


def ranking(
    systems: Sequence[str],
    order: Sequence[int],
    *,
    protocol: str = "ranking",
    rater: str = "ann",
    prompt: str = "p",
    trial: str = "t",
) -> Judgement:
    """An order of systems on a prompt; for best_worst the best and the worst."""
    return Judgement(
        trial=trial,
        protocol=TrialProtocol(protocol),
        dimension="overall",
        prompt_id=prompt,
        candidates=tuple(Candidate(f"{prompt}/{system}") for system in systems),
        rater=rater,
        source=Source.HUMAN,
        ranking=tuple(order),
    )


def random_votes(
    n_raters: int = 8, n_each: int = 20, *, seed: int = 0, n_prompts: int = 10
) -> list[Judgement]:
    """Votes on the systems a, b, c, d, of which a is the best; every tenth is a tie."""
    rng = np.random.default_rng(seed)
    worth = {"a": 1.0, "b": 0.4, "c": 0.0, "d": -0.8}
    votes = []
    for k in range(n_raters * n_each):
        first, second = rng.choice(list(worth), 2, replace=False)
        p = 1 / (1 + np.exp(worth[second] - worth[first]))
        outcome = "TIE" if rng.random() < 0.1 else "A" if rng.random() < p else "B"
        prompt, rater = f"p{rng.integers(n_prompts)}", f"r{k % n_raters}"
        votes.append(
            vote(str(first), str(second), outcome, rater=rater, prompt=prompt, trial=f"t{k}")
        )
    return votes


def random_ratings(
    n_raters: int = 6, n_prompts: int = 5, *, seed: int = 0, systems: str = "abc"
) -> list[Judgement]:
    """Every rater rates every system on every prompt; a is the best."""
    rng = np.random.default_rng(seed)
    mean = {system: 7.0 - 1.5 * k for k, system in enumerate(systems)}
    severity = rng.normal(size=n_raters)
    return [
        rating(
            system,
            float(np.clip(mean[system] + severity[r] + rng.normal(), 0, 10)),
            rater=f"r{r}",
            prompt=f"p{p}",
        )
        for r in range(n_raters)
        for p in range(n_prompts)
        for system in systems
    ]


@pytest.fixture
def make() -> SimpleNamespace:
    """Short ways to write judgements of systems down."""
    return SimpleNamespace(
        vote=vote,
        rating=rating,
        ranking=ranking,
        random_votes=random_votes,
        random_ratings=random_ratings,
    )
