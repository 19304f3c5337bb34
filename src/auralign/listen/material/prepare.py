"""Clips made ready for listening: one rate, one loudness, anchors, stored as a study folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auralign.audio import read_audio, require_usable, resample
from auralign.audio.degrade import low_pass
from auralign.data import StudyFolder
from auralign.errors import AudioError, ConfigError, DataError, did_you_mean
from auralign.listen.material.headphones import headphone_trial
from auralign.listen.material.loudness import Level, align_levels, apply_gain
from auralign.listen.material.prepared import HEADPHONES, Prepared
from auralign.listen.material.sources import Recording, find_recordings
from auralign.listen.protocols.mushra import MushraTest
from auralign.listen.protocols.test_type import Role
from auralign.listen.settings import HeadphoneCheck, TestSettings
from auralign.types import Audio, Clip, Prompt

MIN_DURATION_S = 0.1
MAX_CHANNELS = 2


@dataclass(frozen=True, eq=False)
class _Loaded:
    system: str
    role: Role
    audio: Audio


def prepare_all(folder: Path, out: Path, settings: TestSettings) -> list[Prepared]:
    """Write the clips of the test in `folder` as the study folder `out`.

    Raises DataError or AudioError, naming the file, for one that cannot be played or judged,
    ConfigError for a reference that is no system.
    """
    recordings = find_recordings(folder, settings.clips)
    _check_reference(settings, {recording.system for recording in recordings})
    texts = {r.prompt_id: r.text for r in recordings}
    study = StudyFolder.create(out, name=settings.name, simulated=False, dimensions=("overall",))
    study.write_prompts(Prompt(prompt, text) for prompt, text in sorted(texts.items()))
    pairs = list(_prepare(recordings, study, settings))
    _check_different([prepared for prepared, _ in pairs])
    study.write_clips(clip for _, clip in pairs)
    return [prepared for prepared, _ in pairs] + _headphone_clips(study, settings)


def _headphone_clips(study: StudyFolder, settings: TestSettings) -> list[Prepared]:
    check = settings.checks.headphones
    rng = np.random.default_rng([settings.seed, 1])
    n = check.trials if check else 0
    return [_headphone_clip(study, i, check, settings, rng) for i in range(n) if check]


def _headphone_clip(
    study: StudyFolder,
    number: int,
    check: HeadphoneCheck,
    settings: TestSettings,
    rng: np.random.Generator,
) -> Prepared:
    trial = headphone_trial(check.kind, settings.clips.sample_rate, rng=rng)
    system = f"{check.kind}_{number}"
    clip = study.add_audio(trial.audio, prompt_id=HEADPHONES, system=system)
    return Prepared(
        clip_id=clip.id,
        prompt_id=HEADPHONES,
        system=system,
        role="headphones",
        path=clip.path,
        duration_s=clip.duration_s,
        sound_s=clip.duration_s,
        expected=str(trial.target),
    )


def _prepare(
    recordings: Sequence[Recording], study: StudyFolder, settings: TestSettings
) -> Iterator[tuple[Prepared, Clip]]:
    """Prompt by prompt, so that only the clips of one are in memory."""
    by_prompt = sorted(recordings, key=lambda r: (r.prompt_id, r.system))
    for prompt, group in itertools.groupby(by_prompt, key=lambda r: r.prompt_id):
        loaded = [_load(recording, settings) for recording in group]
        loaded += _anchors(loaded, settings)
        yield from _store(prompt, loaded, study, settings)


def _load(recording: Recording, settings: TestSettings) -> _Loaded:
    audio = read_audio(recording.file)
    require_usable(audio, str(recording.file), min_duration_s=MIN_DURATION_S)
    if audio.channels > MAX_CHANNELS:
        raise AudioError(
            f"{recording.file}: expected mono or stereo, got {audio.channels} channels: mix it down"
        )
    if audio.duration_s > settings.clips.max_duration_s:
        raise AudioError(
            f"{recording.file}: expected at most {settings.clips.max_duration_s:g} s "
            f"(clips.max_duration_s), got {audio.duration_s:.1f} s"
        )
    role: Role = "reference" if recording.system == settings.clips.reference else "system"
    return _Loaded(recording.system, role, resample(audio, settings.clips.sample_rate))


def _anchors(loaded: Iterable[_Loaded], settings: TestSettings) -> list[_Loaded]:
    if not isinstance(settings.test, MushraTest):
        return []
    references = [item.audio for item in loaded if item.role == "reference"]
    return [
        _Loaded(f"anchor_{cutoff}", "anchor", low_pass(audio, cutoff))
        for audio in references
        for cutoff in settings.test.anchors_hz
    ]


def _store(
    prompt: str, loaded: Sequence[_Loaded], study: StudyFolder, settings: TestSettings
) -> Iterator[tuple[Prepared, Clip]]:
    clips = settings.clips
    levels = align_levels(
        [item.audio for item in loaded], target_lufs=clips.target_lufs, peak_dbtp=clips.peak_dbtp
    )
    # A hidden reference must not be known by its length.
    pads = clips.equal_length or settings.test.hides_reference
    longest = max(item.audio.n_samples for item in loaded)
    for item, level in zip(loaded, levels, strict=True):
        audio = apply_gain(item.audio, level.gain_db)
        stored = study.add_audio(
            _padded(audio, longest) if pads else audio, prompt_id=prompt, system=item.system
        )
        yield _record(stored, item.role, audio.duration_s, level), stored


def _record(clip: Clip, role: Role, sound_s: float, level: Level) -> Prepared:
    return Prepared(
        clip_id=clip.id,
        prompt_id=clip.prompt_id,
        system=clip.system,
        role=role,
        path=clip.path,
        duration_s=clip.duration_s,
        sound_s=sound_s,
        loudness_lufs=level.loudness_lufs,
        true_peak_dbtp=level.true_peak_dbtp,
        gain_db=level.gain_db,
    )


def _padded(audio: Audio, n_samples: int) -> Audio:
    missing = n_samples - audio.n_samples
    return Audio(np.pad(audio.samples, ((0, 0), (0, missing))), audio.sample_rate)


def _check_reference(settings: TestSettings, systems: set[str]) -> None:
    reference = settings.clips.reference
    if reference is not None and reference not in systems:
        raise ConfigError(
            f"clips.reference '{reference}' is not one of the systems {', '.join(sorted(systems))}"
            f"{did_you_mean(reference, systems)}"
        )


def _check_different(prepared: Sequence[Prepared]) -> None:
    first: dict[str, Prepared] = {}
    for clip in prepared:
        known = first.setdefault(clip.clip_id, clip)
        if known is not clip:
            raise DataError(
                f"the clips of '{known.system}' for prompt '{known.prompt_id}' and of "
                f"'{clip.system}' for '{clip.prompt_id}' have the same samples: leave one out"
            )
