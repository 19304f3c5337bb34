import errno
import hashlib
import os
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from auralign.audio import (
    as_audio,
    clip_id,
    quantise,
    read_audio,
    require_usable,
    resample,
    to_mono,
    write_wav,
)
from auralign.errors import AudioError, StorageError
from auralign.types import Audio

FRAME_S = 0.02


def tone(frequency_hz, sample_rate, duration_s=0.5, channels=1):
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return as_audio(
        np.tile(0.5 * np.sin(2 * np.pi * frequency_hz * time_s), (channels, 1)), sample_rate
    )


def audios():
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
    samples = hnp.arrays(np.float32, shapes, elements=st.floats(-1.5, 1.5, width=32))
    return st.builds(Audio, samples, st.sampled_from([8_000, 16_000, 44_100, 96_000]))


def write_and_read(audio, folder):
    write_wav(audio, folder / "clip.wav")
    return read_audio(folder / "clip.wav")


class TestRoundTrip:
    @settings(deadline=None)
    @given(audios())
    def test_reading_what_was_written_is_quantise_bit_for_bit(self, tmp_path_factory, audio):
        read = write_and_read(audio, tmp_path_factory.getbasetemp())
        assert read.sample_rate == audio.sample_rate
        assert np.array_equal(read.samples, quantise(audio).samples)
        assert clip_id(read) == clip_id(quantise(audio))

    @given(audios())
    def test_quantising_twice_changes_nothing(self, audio):
        once = quantise(audio)
        assert np.array_equal(quantise(once).samples, once.samples)

    def test_every_16_bit_code_survives(self, tmp_path):
        codes = np.arange(-32_768, 32_768)
        audio = as_audio(codes / 32_768, 16_000)
        assert np.array_equal(write_and_read(audio, tmp_path).samples[0] * 32_768, codes)

    def test_quantising_moves_a_sample_by_at_most_half_a_step(self):
        audio = tone(440, 16_000)
        assert np.abs(quantise(audio).samples - audio.samples).max() <= 0.5 / 32_768 + 1e-9

    def test_full_scale_and_beyond_are_clipped_not_wrapped(self):
        loud = quantise(as_audio([1.0, 7.0, -1.0, -7.0], 16_000))
        assert loud.samples.tolist() == [[32_767 / 32_768, 32_767 / 32_768, -1.0, -1.0]]

    def test_a_failed_write_leaves_nothing(self, tmp_path, monkeypatch):
        def refuse(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(StorageError, match=r"clip\.wav: the disk is full"):
            write_wav(tone(440, 16_000), tmp_path / "clip.wav")
        assert os.listdir(tmp_path) == []

    def test_an_empty_clip_is_never_written(self, tmp_path):
        with pytest.raises(
            AudioError, match=r"clip\.wav: expected audio to write, got a clip without"
        ):
            write_wav(as_audio([], 16_000), tmp_path / "clip.wav")
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_is_never_written(self, tmp_path, value):
        with pytest.raises(
            AudioError, match="expected finite samples, got NaN or infinity in 1 of 2"
        ):
            write_wav(as_audio([0.0, value], 16_000), tmp_path / "clip.wav")
        assert os.listdir(tmp_path) == []


class TestClipId:
    def test_it_is_the_hash_of_header_and_samples(self):
        audio = as_audio([[0.5, -0.25], [0.0, 1.0]], 16_000)
        content = struct.pack("<3Q4f", 16_000, 2, 2, 0.5, -0.25, 0.0, 1.0)
        assert clip_id(audio) == hashlib.sha256(content).hexdigest()

    def test_memory_layout_does_not_matter(self):
        samples = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
        transposed_twice = np.ascontiguousarray(samples.T).T
        assert clip_id(Audio(samples, 16_000)) == clip_id(Audio(transposed_twice, 16_000))

    @pytest.mark.parametrize(
        "other",
        [
            as_audio([[0.5, -0.5], [0.25, 0.0]], 8_000),
            as_audio([[0.5, -0.5, 0.25, 0.0]], 16_000),
            as_audio([[0.5, -0.5], [0.25, 1e-7]], 16_000),
        ],
        ids=["rate", "channels", "sample"],
    )
    def test_a_change_of_anything_heard_changes_it(self, other):
        assert clip_id(as_audio([[0.5, -0.5], [0.25, 0.0]], 16_000)) != clip_id(other)


class TestAsAudio:
    def test_one_dimension_is_mono(self):
        audio = as_audio(np.zeros(10), 16_000)
        assert audio.samples.shape == (1, 10)
        assert audio.samples.dtype == np.float32

    @pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8])
    def test_integers_are_refused_with_how_to_scale_them(self, dtype):
        with pytest.raises(AudioError, match=rf"{np.dtype(dtype)}.*int16: samples / 32768"):
            as_audio(np.zeros(10, dtype), 16_000)

    def test_integers_inside_an_audio_are_refused_where_it_is_used(self):
        audio = Audio(np.zeros((1, 10), np.int16), 16_000)
        for use in (clip_id, quantise):
            with pytest.raises(AudioError, match="got int16"):
                use(audio)
        with pytest.raises(AudioError, match=r"clip 7: expected floating-point.*got int16"):
            require_usable(audio, "clip 7", min_duration_s=0)

    @pytest.mark.parametrize(
        ("samples", "message"),
        [
            (np.zeros((1, 2, 3)), r"got shape \(1, 2, 3\)"),
            (np.zeros((500, 2)), r"\(500, 2\): if that is \[time, channels\], transpose it"),
            (np.zeros(3, complex), "got complex128"),
            (np.zeros(3, bool), "got bool"),
            (["a"], "got <U1"),
        ],
    )
    def test_other_shapes_and_types_are_refused(self, samples, message):
        with pytest.raises(AudioError, match=message):
            as_audio(samples, 16_000)

    @pytest.mark.parametrize("rate", [0, -1, 16_000.5])
    def test_a_rate_that_is_none_is_refused(self, rate):
        with pytest.raises(AudioError, match="expected a sample rate in whole Hz above 0"):
            as_audio(np.zeros(3), rate)


class TestResample:
    def test_a_tone_below_both_nyquist_limits_stays_the_same_tone(self):
        there = resample(tone(1_000, 96_000), 16_000)
        expected = tone(1_000, 16_000)
        inner = slice(500, -500)
        assert there.sample_rate == 16_000
        assert there.samples.shape == expected.samples.shape
        assert np.abs(there.samples - expected.samples)[:, inner].max() < 1e-3

    def test_a_tone_above_the_new_nyquist_limit_is_gone(self):
        there = resample(tone(12_000, 96_000), 16_000)
        assert np.abs(there.samples[:, 500:-500]).max() < 1e-3

    def test_the_same_rate_is_the_same_audio(self):
        audio = tone(440, 16_000)
        assert resample(audio, 16_000) is audio

    def test_channels_are_resampled_alone(self):
        left, right = tone(440, 44_100), tone(880, 44_100)
        both = as_audio(np.concatenate([left.samples, right.samples]), 44_100)
        there = resample(both, 16_000).samples
        assert np.array_equal(there[0], resample(left, 16_000).samples[0])
        assert np.array_equal(there[1], resample(right, 16_000).samples[0])


def test_mono_is_the_mean_of_the_channels():
    mono = to_mono(as_audio([[1.0, 0.5], [0.0, -0.5]], 16_000))
    assert mono.samples.tolist() == [[0.5, 0.0]]


class TestRequireUsable:
    @pytest.mark.parametrize(
        "audio",
        [tone(440, 16_000), tone(440, 16_000, channels=2), tone(440, 96_000)],
        ids=["mono", "stereo", "96 kHz"],
    )
    def test_sound_is_usable_at_any_rate_and_width(self, audio):
        require_usable(audio, "clip", min_duration_s=FRAME_S)

    @pytest.mark.parametrize(
        ("audio", "message"),
        [
            (Audio(np.zeros((1, 0), np.float32), 16_000), "a clip without samples"),
            (tone(440, 16_000, 0.01), r"at least 0\.02 s of audio, got 0\.01 s"),
            (as_audio(np.zeros(16_000), 16_000), "got digital silence"),
            (as_audio(np.full(16_000, 1e-5), 16_000), "got digital silence"),
            (as_audio(np.full(16_000, np.nan), 16_000), "NaN or infinity in 16000 of 16000"),
        ],
        ids=["empty", "shorter than a codec frame", "silent", "below one step", "NaN"],
    )
    def test_nothing_to_judge_is_refused_by_name(self, audio, message):
        with pytest.raises(AudioError, match=f"a.wav: expected .*{message}"):
            require_usable(audio, "a.wav", min_duration_s=FRAME_S)

    def test_one_step_of_16_bits_is_not_silence(self):
        require_usable(as_audio(np.full(800, 1 / 32_768), 16_000), "clip", min_duration_s=0)


class TestReadAudio:
    @pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "mp3"])
    def test_any_format_of_libsndfile_is_read(self, tmp_path, suffix):
        audio = tone(440, 16_000, channels=2)
        soundfile.write(tmp_path / f"a.{suffix}", audio.samples.T, 16_000)
        read = read_audio(tmp_path / f"a.{suffix}")
        assert read.samples.shape == audio.samples.shape
        assert read.samples.dtype == np.float32
        assert read.samples.flags.c_contiguous

    @pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg", "caf"])
    def test_half_a_file_is_refused(self, tmp_path, suffix, capfd):
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, tone(440, 16_000).samples.T, 16_000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(AudioError, match=str(path)):
            read_audio(path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(AudioError, match=r"gone\.wav: expected an audio file, got 'no such"):
            read_audio(tmp_path / "gone.wav")

    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(AudioError, match="expected an audio file, got 'is a directory'"):
            read_audio(tmp_path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "got an empty file"),
            (b"hello, I am a text", "no audio at all"),
            (b"RIFF", "damaged, cut short or no audio"),
            (b"RIFF\x24\x00\x00\x00WAVEfmt ", "damaged, cut short or no audio"),
        ],
        ids=["empty", "text", "four bytes", "half a header"],
    )
    def test_what_is_not_audio_is_refused(self, tmp_path, content, message):
        (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises(AudioError, match=rf"a\.wav: expected .*{message}"):
            read_audio(tmp_path / "a.wav")

    def test_a_header_without_samples_is_refused(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), 16_000)
        with pytest.raises(AudioError, match="a header without samples"):
            read_audio(tmp_path / "a.wav")
