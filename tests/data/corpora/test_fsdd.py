from pathlib import Path

import numpy as np
import pytest
import soundfile

from auralign.audio.levels import rms_dbfs
from auralign.data.corpora.fsdd import fsdd_digit_corpus
from auralign.errors import ConfigError, DataError
from auralign.types import Split
from real_data import FSDD

RATE = 8_000


def tone(digit: int, take: int) -> np.ndarray:
    """A stand-in take: the digit sets the frequency, the take number the length."""
    t = np.arange(RATE // 5 + 80 * take) / RATE
    return 0.2 * np.sin(2 * np.pi * (300 + 250 * digit) * t)


@pytest.fixture
def recordings(tmp_path) -> Path:
    """A small folder in the dataset's layout: two speakers, takes 0 (test), 5 and 6 (train)."""
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for speaker in ("ann", "bob"):
        for digit in range(10):
            for take in (0, 5, 6):
                file = folder / f"{digit}_{speaker}_{take}.wav"
                soundfile.write(file, tone(digit, take), RATE)
    return folder


def corpus(folder, n=8, *, flaw_share=0.0, split=Split.TRAIN, seed=0, **options):
    rng = np.random.default_rng(seed)
    return fsdd_digit_corpus(folder, n, flaw_share=flaw_share, split=split, rng=rng, **options)


def heard_digits(audio, n: int) -> list[int]:
    """Which tones sound, in order, found frame by frame."""
    frames = audio.samples[0, : audio.n_samples // 400 * 400].reshape(-1, 400)
    loud = frames[np.sqrt((frames**2).mean(axis=1)) > 0.05]
    hz = np.abs(np.fft.rfft(loud * np.hanning(400), 4000)).argmax(axis=1) * audio.sample_rate / 4000
    digits = np.round((hz - 300) / 250).astype(int)
    return [int(d) for i, d in enumerate(digits) if i == 0 or d != digits[i - 1]][:n]


def test_the_takes_are_joined_in_the_order_of_the_digits(recordings):
    for utterance in corpus(recordings):
        wanted = [int(d) for d in utterance.prompt.id.split("-")[1]]
        without_repeats = [d for i, d in enumerate(wanted) if i == 0 or d != wanted[i - 1]]
        assert heard_digits(utterance.audio, 9) == without_repeats
        assert utterance.audio.sample_rate == 16_000
        assert rms_dbfs(utterance.audio) == pytest.approx(-23, abs=0.01)


def test_the_folder_above_the_recordings_does_as_well(recordings):
    inner, outer = corpus(recordings), corpus(recordings.parent)
    for one, other in zip(inner, outer, strict=True):
        np.testing.assert_array_equal(one.audio.samples, other.audio.samples)


def test_takes_0_to_4_are_heard_in_the_test_split_only(recordings):
    for file in recordings.glob("*_0.wav"):
        soundfile.write(file, np.zeros(800), RATE)  # silence is an error when it is read
    assert len(corpus(recordings, 20)) == 20
    with pytest.raises(DataError, match=r"_0\.wav: expected a spoken digit, got silence"):
        corpus(recordings, 1, split=Split.TEST)


def test_prompts_carry_their_split(recordings):
    assert {u.prompt.split for u in corpus(recordings, split=Split.TEST)} == {Split.TEST}


def test_gaps_are_between_30_and_120_ms(recordings):
    for utterance in corpus(recordings, 5, digits=(4, 4), sample_rate=RATE):
        quiet = np.abs(utterance.audio.samples[0]) < 1e-6
        edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
        gaps_s = np.diff(edges)[::2] / RATE
        gaps_s = gaps_s[gaps_s > 0.02]
        assert len(gaps_s) == 5  # before, three between, after
        assert ((gaps_s[1:-1] >= 0.029) & (gaps_s[1:-1] <= 0.125)).all()


def test_slow_utterances_are_stretched_at_their_pitch(recordings):
    utterances = corpus(recordings, 60, flaw_share=1, digits=(4, 4))
    slow = [u for u in utterances if u.flaws == ("slow",)]
    assert slow
    for utterance in slow:
        wanted = [int(d) for d in utterance.prompt.id.split("-")[1]]
        assert set(heard_digits(utterance.audio, 99)) == set(wanted)
        assert utterance.audio.duration_s > 1.6 * 4 * 0.2


def test_the_same_generator_makes_the_same_corpus(recordings):
    for once, again in zip(
        corpus(recordings, flaw_share=1), corpus(recordings, flaw_share=1), strict=True
    ):
        np.testing.assert_array_equal(once.audio.samples, again.audio.samples)


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_recordings_is_an_error(tmp_path, folder):
    with pytest.raises(DataError, match=r"named like '7_theo_12.wav', found none"):
        corpus(tmp_path / folder)


def test_a_missing_digit_is_an_error_that_names_it(recordings):
    for file in recordings.glob("3_bob_*.wav"):
        file.unlink()
    with pytest.raises(DataError, match=r"found no '3_bob_\*\.wav' of the split 'train'"):
        corpus(recordings)


def test_a_broken_recording_is_an_error_that_names_the_file(recordings):
    for file in recordings.glob("*_ann_*.wav"):
        file.write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"_ann_\d\.wav"):
        corpus(recordings, 20)


def test_there_is_no_validation_split(recordings):
    with pytest.raises(ConfigError, match="'train' and 'test', not 'validation'"):
        corpus(recordings, split=Split.VALIDATION)


@pytest.mark.realdata("fsdd")
@pytest.mark.parametrize("split", [Split.TRAIN, Split.TEST])
def test_the_real_recordings_make_a_corpus_of_six_speakers(split):
    utterances = corpus(FSDD, 60, flaw_share=0.3, split=split)
    assert {u.speaker for u in utterances} == {
        "george", "jackson", "lucas", "nicolas", "theo", "yweweler"
    }  # fmt: skip
    for utterance in utterances:
        assert np.isfinite(utterance.audio.samples).all()
        assert 0.6 < utterance.audio.duration_s < 9
