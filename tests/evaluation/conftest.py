"""Simulated studies in which it is known what listeners listen for."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from auralign.data import StudyFolder
from auralign.evaluation.validity import pair_shares, rank_agreement
from auralign.types import Candidate, Clip, Judgement, Outcome, Prompt, Source, TrialProtocol

RATE = 16_000


@dataclass
class Simulated:
    """A study without audio, and what its listeners hear in each clip."""

    path: object
    clips: list[Clip]
    quality: dict[str, float]

    def noisy(self, sd, seed=0):
        """A measure that hears what listeners hear, with noise of that standard deviation."""
        rng = np.random.default_rng(seed)
        return {name: value + sd * rng.standard_normal() for name, value in self.quality.items()}

    def noise(self, seed=0):
        rng = np.random.default_rng(seed)
        return {clip.id: float(rng.standard_normal()) for clip in self.clips}

    def durations(self):
        return {clip.id: clip.duration_s for clip in self.clips}


def clips_of(n_systems, n_prompts, rng):
    """A clip of each system for each prompt, of 1 to 3 s."""
    return [
        Clip(
            f"p{p:03d}-s{s:02d}",
            f"p{p:03d}-s{s:02d}.wav",
            RATE,
            1,
            int(rng.integers(RATE, 3 * RATE)),
            f"p{p:03d}",
            f"s{s:02d}",
        )
        for p in range(n_prompts)
        for s in range(n_systems)
    ]


def vote(clip_a, clip_b, difference, rater, source=Source.SIMULATED):
    outcome = Outcome.TIE if abs(difference) < 0.1 else Outcome.A if difference > 0 else Outcome.B
    return Judgement(
        trial=f"{clip_a.id}/{clip_b.id}",
        protocol=TrialProtocol.PAIR,
        dimension="overall",
        prompt_id=clip_a.prompt_id,
        candidates=(Candidate(clip_a.id), Candidate(clip_b.id)),
        rater=rater,
        source=source,
        outcome=outcome,
    )


def rating(clip, value, rater, dimension="overall", source=Source.SIMULATED):
    return Judgement(
        trial=clip.id,
        protocol=TrialProtocol.RATING,
        dimension=dimension,
        prompt_id=clip.prompt_id,
        candidates=(Candidate(clip.id),),
        rater=rater,
        source=source,
        rating=value,
        scale=(-10.0, 10.0),
    )


def write_study(path, clips, judgements, **settings):
    prompts = [Prompt(name, f"text of {name}") for name in sorted({c.prompt_id for c in clips})]
    known = {"name": "simulated", "simulated": True, "dimensions": ("overall",), "notes": ""}
    return StudyFolder.create_without_audio(
        path, **(known | settings), prompts=prompts, clips=clips, judgements=judgements
    )


@pytest.fixture
def fewer_resamples(monkeypatch):
    """What is claimed of intervals here does not hang on their third digit."""
    for room in (pair_shares, rank_agreement):
        monkeypatch.setattr(room, "N_RESAMPLES", 200)


@pytest.fixture(scope="session")
def of():
    """What studies are made of."""
    return SimpleNamespace(clips=clips_of, vote=vote, rating=rating, study=write_study)


@pytest.fixture
def simulate(tmp_path):
    """A study of votes or ratings, in which listeners like quality, or length if `by="length"`."""

    def make(by="quality", protocol="pair", n_systems=8, n_prompts=40, n_raters=5, seed=0):
        rng = np.random.default_rng(seed)
        clips = clips_of(n_systems, n_prompts, rng)
        talent = np.linspace(-1, 1, n_systems)
        if by == "quality":
            heard = {c.id: talent[int(c.system[1:])] + 0.5 * rng.standard_normal() for c in clips}
        else:
            heard = {c.id: 2 * (c.duration_s - 2) for c in clips}
        judgements = []
        for p in range(n_prompts):
            own = clips[p * n_systems : (p + 1) * n_systems]
            for r in range(n_raters):
                if protocol == "pair":
                    a, b = rng.choice(n_systems, 2, replace=False)
                    gap = heard[own[a].id] - heard[own[b].id]
                    judgements.append(vote(own[a], own[b], gap + 0.3 * rng.logistic(), f"r{r}"))
                else:
                    judgements += [
                        rating(c, float(heard[c.id] + 0.5 * rng.standard_normal()), f"r{r}")
                        for c in own
                    ]
        path = tmp_path / f"{by}-{protocol}-{n_systems}-{n_prompts}"
        write_study(path, clips, judgements)
        return Simulated(path, clips, heard)

    return make
