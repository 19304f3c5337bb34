"""Clips are refused with a reason, or played at one loudness."""

import numpy as np
import pytest
import soundfile

from auralign.audio import as_audio, read_audio, write_wav
from auralign.audio.levels import loudness_lufs, true_peak_dbtp
from auralign.data import parse
from auralign.errors import AudioError, ConfigError, DataError
from auralign.listen.material.loudness import align_levels, apply_gain
from auralign.listen.material.prepared import prepared_clips
from auralign.listen.settings import TestSettings

RATE = 16_000


def noise(seed, seconds=0.6, level=0.1, channels=1):
    samples = np.random.default_rng(seed).uniform(-level, level, (channels, round(seconds * RATE)))
    return as_audio(samples, RATE)


def settings(test=None, **clips):
    values = {"name": "t", "test": test or {"type": "ab"}, "clips": {"sample_rate": RATE, **clips}}
    return parse(TestSettings, values, "test.yaml")


def two_systems(folder, **changed):
    for k, system in enumerate(("x", "y")):
        write_wav(changed.get(system, noise(k)), folder / "clips" / system / "p1.wav")


def test_clips_of_a_prompt_become_equally_loud(tmp_path):
    two_systems(tmp_path, x=noise(0, level=0.5), y=noise(1, level=0.01))
    prepared = prepared_clips(tmp_path, settings(target_lufs=-27.0))
    heard = [loudness_lufs(read_audio(tmp_path / "stimuli" / clip.path)) for clip in prepared]
    assert heard == pytest.approx([-27.0, -27.0], abs=0.1)
    for clip in prepared:
        assert clip.gain_db == pytest.approx(-27.0 - clip.loudness_lufs, abs=1e-9)


def test_a_peak_above_the_limit_lowers_all_clips_alike():
    quiet_with_click = noise(0, level=0.01).samples.copy()
    quiet_with_click[0, 1_000] = 0.9
    audios = [as_audio(quiet_with_click, RATE), noise(1)]
    levels = align_levels(audios, target_lufs=-20.0, peak_dbtp=-1.0)
    played = [apply_gain(audio, level.gain_db) for audio, level in zip(audios, levels, strict=True)]
    assert max(true_peak_dbtp(audio) for audio in played) == pytest.approx(-1.0, abs=1e-3)
    heard = [loudness_lufs(audio) for audio in played]
    assert heard[0] == pytest.approx(heard[1], abs=1e-3)
    assert heard[0] < -20.0


def test_without_a_target_levels_stay(tmp_path):
    two_systems(tmp_path)
    prepared = prepared_clips(tmp_path, settings(target_lufs=None))
    assert [clip.gain_db for clip in prepared] == [0.0, 0.0]


def test_padding_makes_lengths_equal_and_remembers_the_sound(tmp_path):
    two_systems(tmp_path, y=noise(1, seconds=1.0))
    prepared = prepared_clips(tmp_path, settings(equal_length=True))
    assert [clip.duration_s for clip in prepared] == [1.0, 1.0]
    assert [clip.sound_s for clip in prepared] == [0.6, 1.0]


def test_mushra_gets_anchors_without_what_lies_above_their_cutoff(tmp_path):
    two_systems(tmp_path)
    test = {"type": "mushra", "anchors_hz": [3_500]}
    prepared = prepared_clips(tmp_path, settings(test, reference="x", target_lufs=None))
    anchor = next(clip for clip in prepared if clip.role == "anchor")
    samples = read_audio(tmp_path / "stimuli" / anchor.path).samples[0]
    power = np.abs(np.fft.rfft(samples)) ** 2
    above = np.fft.rfftfreq(samples.size, 1 / RATE) > 3_700
    # Where the clip is cut there are a few; of the noise itself more than half would be there.
    assert power[above].sum() / power.sum() < 1e-3


def test_clips_are_prepared_once_and_again_when_their_settings_change(tmp_path):
    two_systems(tmp_path)
    first = prepared_clips(tmp_path, settings())
    (tmp_path / "clips" / "x" / "p1.wav").unlink()
    assert prepared_clips(tmp_path, settings()) == first
    two_systems(tmp_path)
    assert prepared_clips(tmp_path, settings(target_lufs=-30.0)) != first


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../secret.wav", "expected a path within"),
        ("/etc/passwd", "expected a path within"),
        ("..\\secret.wav", "expected a path within"),
        ("link.wav", "leads out of"),
        ("gone.wav", "there is none"),
    ],
)
def test_a_table_cannot_name_a_file_outside_its_folder(tmp_path, name, match):
    folder = tmp_path / "test"
    folder.mkdir()
    write_wav(noise(0), tmp_path / "secret.wav")
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "clips.csv").write_text(f"prompt,system,file\np1,x,{name}\n")
    with pytest.raises(DataError, match=match):
        prepared_clips(folder, settings(path="clips.csv"))
    assert not (folder / "stimuli").exists()


@pytest.mark.parametrize(
    ("audio", "match"),
    [
        (noise(0, seconds=0.05), "at least 0.1 s"),
        (noise(0, seconds=70), "at most 60 s"),
        (as_audio(np.zeros((1, RATE)), RATE), "digital silence"),
        (noise(0, channels=8), "mono or stereo, got 8 channels"),
    ],
)
def test_a_clip_that_cannot_be_judged_is_named(tmp_path, audio, match):
    two_systems(tmp_path, y=audio)
    with pytest.raises(AudioError, match=match) as caught:
        prepared_clips(tmp_path, settings())
    assert "y/p1.wav" in str(caught.value)
    assert not (tmp_path / "stimuli").exists()


def test_a_clip_with_nan_is_named(tmp_path):
    two_systems(tmp_path)
    samples = noise(0).samples[0].copy()
    samples[7] = np.nan
    soundfile.write(tmp_path / "clips" / "x" / "p1.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN or infinity in 1"):
        prepared_clips(tmp_path, settings())


def test_something_that_is_no_audio_is_named(tmp_path):
    two_systems(tmp_path)
    (tmp_path / "clips" / "x" / "p1.wav").write_bytes(b"MZ" + bytes(5_000))
    with pytest.raises(AudioError, match=r"x/p1\.wav"):
        prepared_clips(tmp_path, settings())


def test_a_96_khz_24_bit_clip_is_played_at_the_rate_of_the_study(tmp_path):
    two_systems(tmp_path)
    samples = np.random.default_rng(5).uniform(-0.1, 0.1, 96_000)
    soundfile.write(tmp_path / "clips" / "x" / "p1.wav", samples, 96_000, subtype="PCM_24")
    prepared = prepared_clips(tmp_path, settings())
    played = read_audio(tmp_path / "stimuli" / prepared[0].path)
    assert (played.sample_rate, played.duration_s) == (RATE, 1.0)


def test_limits_hold_before_anything_is_read(tmp_path):
    two_systems(tmp_path)
    with pytest.raises(DataError, match=r"at most 0\.001 MB"):
        prepared_clips(tmp_path, settings(max_file_mb=0.001))
    with pytest.raises(DataError, match="at most 1 clips"):
        prepared_clips(tmp_path, settings(max_clips=1))


def test_two_systems_with_the_same_samples_are_refused(tmp_path):
    two_systems(tmp_path, y=noise(0))
    with pytest.raises(DataError, match="'x' for prompt 'p1' and of 'y'"):
        prepared_clips(tmp_path, settings())


def test_an_unknown_reference_is_named_with_the_near_one(tmp_path):
    two_systems(tmp_path)
    with pytest.raises(ConfigError, match=r"'xx' is not one of the systems x, y"):
        prepared_clips(tmp_path, settings(reference="xx"))
