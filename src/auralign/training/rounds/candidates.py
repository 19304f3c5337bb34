"""Sampled clips as a study that listeners can be given, with the codes that training needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auralign.data.study import StudyFolder
from auralign.data.token_files import read_token_archive, write_token_archive
from auralign.errors import DataError
from auralign.files import atomic_dir
from auralign.policies.reference import clip_key
from auralign.training.rounds.context import Decode, Draw, RoundContext
from auralign.training.rounds.records import Candidates, Sampled
from auralign.types import DIMENSIONS, Clip, Prompt, Tokens

POLICY, FIRST = "policy", "first"
"""Systems: the policy as it is, and as it was before round 1."""


def draw_from_policy(n: int, *, n_first: int = 0) -> Draw:
    """`n` clips of the policy as it is for each prompt, and `n_first` of it before round 1."""

    def draw(prompts: Sequence[Prompt], context: RoundContext) -> list[Sampled]:
        found = []
        for system, policy, count in (
            (POLICY, context.policy, n),
            (FIRST, context.first, n_first),
        ):
            if count:
                generator = context.generator(f"sample {system}")
                rollout = policy.sample(prompts, count, generator=generator)
                asked = [prompts[i] for i in rollout.prompt_index]
                found += [Sampled(*row, system) for row in zip(asked, rollout.tokens, strict=True)]
        return found

    return draw


def write_candidates(
    path: Path,
    sampled: Sequence[Sampled],
    decode: Decode | None,
    *,
    name: str,
    simulated: bool,
) -> None:
    """A folder with the study of these clips and their codes, whole or not at all.

    decode   codes to audio; without it the study has no audio, and clips are named by prompt and
             codes instead of samples

    Clips that are equal are stored once. Raises DataError where nothing was sampled, StorageError
    when something is at `path` already or the disk refuses.
    """
    if not sampled:
        raise DataError(f"{path}: expected clips to judge, got none: sample some for each prompt")
    with atomic_dir(path) as aside:
        study = aside / "study"
        if decode is None:
            clips = _study_of_codes(sampled, study, name, simulated)
        else:
            clips = _study_with_audio(sampled, decode, study, name, simulated)
        tokens: dict[str, Tokens] = {}
        for clip, row in zip(clips, sampled, strict=True):
            tokens.setdefault(clip.id, row.tokens)
        write_token_archive(aside / "tokens.npz", tokens)


def _study_with_audio(
    sampled: Sequence[Sampled], decode: Decode, path: Path, name: str, simulated: bool
) -> list[Clip]:
    """The clip of each row."""
    study = StudyFolder.create(path, name=name, simulated=simulated)
    audios = decode([row.tokens for row in sampled])
    clips = [
        study.add_audio(audio, prompt_id=row.prompt.id, system=row.system)
        for row, audio in zip(sampled, audios, strict=True)
    ]
    study.write_prompts(_prompts(sampled))
    study.write_clips(_unique(clips))
    return clips


def _study_of_codes(
    sampled: Sequence[Sampled], path: Path, name: str, simulated: bool
) -> list[Clip]:
    """The clip of each row."""
    clips = [without_audio(row) for row in sampled]
    StudyFolder.create_without_audio(
        path,
        name=name,
        simulated=simulated,
        dimensions=DIMENSIONS,
        notes="Clips are known by their codes.",
        prompts=_prompts(sampled),
        clips=_unique(clips),
        judgements=(),
    )
    return clips


def read_candidates(path: Path) -> Candidates:
    """What `write_candidates` wrote; DataError for anything else."""
    study = StudyFolder.open(path / "study")
    return Candidates(
        study,
        {prompt.id: prompt for prompt in study.prompts()},
        study.clips(),
        read_token_archive(path / "tokens.npz"),
    )


def without_audio(row: Sampled) -> Clip:
    """A record of a clip that nobody listens to, named by its prompt and codes."""
    key = clip_key(row.prompt, row.tokens)
    return Clip(key, "", 0, 0, 0, prompt_id=row.prompt.id, system=row.system)


def _prompts(sampled: Sequence[Sampled]) -> list[Prompt]:
    return list({row.prompt.id: row.prompt for row in sampled}.values())


def _unique(clips: Sequence[Clip]) -> list[Clip]:
    """The first record of each clip."""
    found: dict[str, Clip] = {}
    for clip in clips:
        found.setdefault(clip.id, clip)
    return list(found.values())
