"""A study folder: prompts, clips and what was said about them.

study.yaml           name, dimensions, notes, whether the listeners were simulated
prompts.parquet      clips.parquet      judgements.parquet
audio/ab/<clip id>.wav
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from auralign import __version__
from auralign.audio import clip_id, quantise, read_audio, write_wav
from auralign.data.config import StrictModel, read_yaml
from auralign.data.formats import CLIPS, JUDGEMENTS, PROMPTS
from auralign.data.tables import read_table, write_table
from auralign.errors import DataError, StorageError
from auralign.files import atomic_dir, write_text
from auralign.types import DIMENSIONS, Audio, Clip, Judgement, Prompt

SCHEMA_VERSION = 1
_WAV_HEADER_BYTES = 44


class StudyHeader(StrictModel):
    """What `study.yaml` says."""

    name: str
    simulated: bool
    """True when the listeners are programs; their judgements are never mixed with people's."""
    dimensions: tuple[str, ...] = DIMENSIONS
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
        notes: str = "",
    ) -> StudyFolder:
        """A new study with empty tables; StorageError when something is at `path` already."""
        header = StudyHeader(
            name=name,
            simulated=simulated,
            dimensions=tuple(dimensions),
            notes=notes,
            created_by=f"auralign {__version__}",
            schema_version=SCHEMA_VERSION,
        )
        with atomic_dir(path) as aside:
            text = yaml.safe_dump(header.model_dump(mode="json"), sort_keys=False)
            write_text(aside / "study.yaml", text)
            study = cls(aside, header)
            study.write_prompts(())
            study.write_clips(())
            study.write_judgements(())
        return cls(Path(path), header)

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
        return read_table(CLIPS, self.path / "clips.parquet")

    def judgements(self) -> list[Judgement]:
        return read_table(JUDGEMENTS, self.path / "judgements.parquet")

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
        path = self.audio_path(clip)
        if not path.is_file():
            raise DataError(
                f"clip {clip.id}: expected its audio at {path}, but the file is gone: "
                "restore it or make the study again"
            )
        return read_audio(path)


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
