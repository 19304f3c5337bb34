"""A study folder: prompts, clips and what was said about them.

study.yaml           name, dimensions, notes, whether the listeners were simulated
prompts.parquet      clips.parquet      judgements.parquet
audio/ab/<clip id>.wav

A study whose recordings were never published has no audio and says so in `study.yaml`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from auralign import __version__
from auralign.audio import clip_id, quantise, read_audio, write_wav
from auralign.data.config import StrictModel, read_yaml
from auralign.data.formats import CLIPS, JUDGEMENTS, PROMPTS
from auralign.data.tables import read_table, write_table
from auralign.errors import DataError, StorageError
from auralign.files import atomic_dir, is_empty_dir, write_text
from auralign.types import DIMENSIONS, Audio, Clip, Judgement, Prompt

SCHEMA_VERSION = 1
_WAV_HEADER_BYTES = 44


class StudyHeader(StrictModel):
    """What `study.yaml` says."""

    name: str
    simulated: bool
    """True when the listeners are programs; their judgements are never mixed with people's."""
    has_audio: bool = True
    """False when only the judgements are known: clips then have the names of their source."""
    dimensions: tuple[str, ...] = DIMENSIONS
    descriptive_dimensions: tuple[str, ...] = ()
    """Those of the dimensions that describe and do not judge: more of them is not better."""
    notes: str = ""
    created_by: str
    schema_version: int


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """A handle on a study folder; it holds no tables and no audio."""

    path: Path
    header: StudyHeader

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str,
        simulated: bool,
        dimensions: Sequence[str] = DIMENSIONS,
        descriptive_dimensions: Sequence[str] = (),
        notes: str = "",
    ) -> StudyFolder:
        """A new study with empty tables; StorageError when something is at `path` already."""
        header = _new_header(
            name=name,
            simulated=simulated,
            dimensions=tuple(dimensions),
            descriptive_dimensions=tuple(descriptive_dimensions),
            notes=notes,
        )
        return cls._write(Path(path), header, (), (), (), replace=False)

    @classmethod
    def create_without_audio(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str,
        simulated: bool,
        dimensions: Sequence[str],
        notes: str,
        prompts: Iterable[Prompt],
        clips: Iterable[Clip],
        judgements: Iterable[Judgement],
        descriptive_dimensions: Sequence[str] = (),
        force: bool = False,
    ) -> StudyFolder:
        """A new, whole study of judgements on recordings that are not at hand.

        Raises StorageError when something is at `path` already; `force` replaces it if that is a
        study.
        """
        path = Path(path)
        header = _new_header(
            name=name,
            simulated=simulated,
            has_audio=False,
            dimensions=tuple(dimensions),
            descriptive_dimensions=tuple(descriptive_dimensions),
            notes=notes,
        )
        if force and path.exists() and not is_empty_dir(path):
            _require_study(path)
        return cls._write(path, header, prompts, clips, judgements, replace=force)

    @classmethod
    def _write(
        cls,
        path: Path,
        header: StudyHeader,
        prompts: Iterable[Prompt],
        clips: Iterable[Clip],
        judgements: Iterable[Judgement],
        *,
        replace: bool,
    ) -> StudyFolder:
        with atomic_dir(path, replace=replace) as aside:
            write_text(aside / "study.yaml", _as_yaml(header))
            study = cls(aside, header)
            study.write_prompts(prompts)
            study.write_clips(clips)
            study.write_judgements(judgements)
        return cls(path, header)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> StudyFolder:
        """An existing study; DataError when `path` holds none, or one of a newer auralign."""
        path = Path(path)
        if not (path / "study.yaml").is_file():
            what = "it has no study.yaml" if path.exists() else "it does not exist"
            raise DataError(f"{path}: expected a study folder, but {what}: check the path")
        header = read_yaml(StudyHeader, path / "study.yaml")
        if header.schema_version > SCHEMA_VERSION:
            raise DataError(
                f"{path}/study.yaml: expected schema_version {SCHEMA_VERSION} or older, "
                f"got {header.schema_version}: upgrade auralign to read it"
            )
        return cls(path, header)

    def prompts(self) -> list[Prompt]:
        return read_table(PROMPTS, self.path / "prompts.parquet")

    def clips(self) -> list[Clip]:
        """Every clip; DataError when one has no audio though the study has."""
        clips = read_table(CLIPS, self.path / "clips.parquet")
        if self.header.has_audio:
            _require_audio(clips, self.path / "clips.parquet")
        return clips

    def judgements(self, dimension: str | None = None) -> list[Judgement]:
        """Every judgement, or those on one dimension."""
        where = {"dimension": dimension} if dimension else None
        return read_table(JUDGEMENTS, self.path / "judgements.parquet", where=where)

    def write_prompts(self, prompts: Iterable[Prompt]) -> None:
        write_table(PROMPTS, prompts, self.path / "prompts.parquet")

    def write_clips(self, clips: Iterable[Clip]) -> None:
        write_table(CLIPS, clips, self.path / "clips.parquet")

    def write_judgements(self, judgements: Iterable[Judgement]) -> None:
        write_table(JUDGEMENTS, judgements, self.path / "judgements.parquet")

    def add_audio(
        self,
        audio: Audio,
        *,
        prompt_id: str,
        system: str,
        seed: int | None = None,
        sampler: str | None = None,
    ) -> Clip:
        """Store the audio in 16 bits under its id and return its record, for `write_clips`.

        Adding the same samples again writes nothing and gives the same id.
        """
        audio = quantise(audio)
        name = clip_id(audio)
        clip = Clip(
            id=name,
            path=f"audio/{name[:2]}/{name}.wav",
            sample_rate=audio.sample_rate,
            channels=audio.channels,
            n_samples=audio.n_samples,
            prompt_id=prompt_id,
            system=system,
            seed=seed,
            sampler=sampler,
        )
        if not _is_stored(self.audio_path(clip), audio):
            write_wav(audio, self.audio_path(clip))
        return clip

    def audio_path(self, clip: Clip) -> Path:
        """Where the clip's file is; DataError when its record points out of the study folder."""
        return path_within(self.path, clip.path)

    def audio(self, clip: Clip) -> Audio:
        """The clip's samples; DataError when its file is gone, AudioError when it is damaged."""
        if not self.header.has_audio:
            raise DataError(f"{self.path} is a study without audio: there is no clip to read")
        path = self.audio_path(clip)
        if not path.is_file():
            raise DataError(
                f"clip {clip.id}: expected its audio at {path}, but the file is gone: "
                "restore it or make the study again"
            )
        return read_audio(path)


def _new_header(**fields: Any) -> StudyHeader:
    created_by = f"auralign {__version__}"
    return StudyHeader(**fields, created_by=created_by, schema_version=SCHEMA_VERSION)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it is read: line by line."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def _as_yaml(header: StudyHeader) -> str:
    text: str = yaml.dump(header.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False)
    return text


def _require_study(path: Path) -> None:
    if not (path / "study.yaml").is_file():
        raise StorageError(f"{path} is not a study folder, so it is not replaced; choose another")


def _require_audio(clips: Iterable[Clip], where: Path) -> None:
    for row, clip in enumerate(clips):
        if not (clip.sample_rate and clip.channels and clip.n_samples):
            raise DataError(
                f"{where} row {row}: sample_rate, channels or n_samples is missing: every clip of "
                "a study with audio needs them"
            )


def path_within(study: Path, relative: str) -> Path:
    """The file that a record names; DataError when that is not within the study folder."""
    if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
        raise DataError(f"expected a path within the study folder, got '{relative}'")
    return study / relative


def _is_stored(path: Path, audio: Audio) -> bool:
    """A file of the right length is the right one, as its name is the hash of its samples."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return size == _WAV_HEADER_BYTES + 2 * audio.samples.size
