import threading

import numpy as np
import pytest

from auralign.audio.espeak import PAD_S, Line, read_aloud, say
from auralign.errors import AudioError


def test_the_same_words_sound_the_same_whatever_was_said_before():
    first = say("four seven one", voice="en-us+f2")
    for text, voice in [("what a day", "en-us+f2"), ("zero", "en-gb-scotland+f4")]:
        say(text, voice=voice, rate_wpm=220, pitch=80)
        np.testing.assert_array_equal(
            say("four seven one", voice="en-us+f2").samples, first.samples
        )


def test_speech_from_several_threads_is_the_speech_from_one():
    expected = say("two five", voice="en-us+m1").samples
    heard: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: heard.append(say("two five", voice="en-us+m1").samples))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 4
    for samples in heard:
        np.testing.assert_array_equal(samples, expected)


def test_speech_is_mono_float_with_a_short_silence_on_both_sides():
    audio = say("nine", voice="en-us+f2")
    pad = round(PAD_S * audio.sample_rate)
    assert audio.sample_rate == 22050
    assert audio.samples.dtype == np.float32
    assert audio.channels == 1
    assert not audio.samples[0, :pad].any()
    assert not audio.samples[0, -pad:].any()
    assert audio.samples[0, pad] != 0
    assert audio.samples[0, -pad - 1] != 0
    assert 0.1 < np.abs(audio.samples).max() <= 1


def test_a_lower_rate_and_wider_gaps_take_longer():
    durations = [
        say("one two three", voice="en-us+f2", rate_wpm=rate, word_gap=gap).duration_s
        for rate, gap in [(220, 0), (160, 0), (90, 0), (90, 10)]
    ]
    assert durations == sorted(durations)
    assert durations[2] > 1.4 * durations[1]


def test_pitch_and_voice_change_the_fundamental():
    def fundamental(voice: str, pitch: int) -> float:
        audio = say("oh no", voice=voice, pitch=pitch)
        power = np.abs(np.fft.rfft(audio.samples[0], 1 << 16)) ** 2
        lags = np.fft.irfft(power)
        shortest, longest = audio.sample_rate // 400, audio.sample_rate // 60
        return audio.sample_rate / (shortest + np.argmax(lags[shortest:longest]))

    assert fundamental("en-us+m1", 70) > 1.1 * fundamental("en-us+m1", 30)
    assert fundamental("en-us+f2", 50) > 1.3 * fundamental("en-us+m1", 50)


@pytest.mark.parametrize("voice", ["elvish", "en-us+nobody"])
def test_an_unknown_voice_is_an_error_that_names_it(voice):
    with pytest.raises(AudioError, match=rf"no voice '{voice.replace('+', '.')}'.*en-us\+f2"):
        say("one", voice=voice)


def test_a_text_without_words_is_an_error():
    with pytest.raises(AudioError, match="spoke nothing for the text ' '"):
        say(" ", voice="en-us+f2")


def test_a_library_that_cannot_be_loaded_is_an_error_that_says_what_to_install(
    monkeypatch, tmp_path
):
    import espeakng_loader

    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(broken))
    with pytest.raises(AudioError, match=r"cannot be loaded.*reinstall.*espeakng-loader"):
        say("one", voice="en-us+f2")


def test_missing_voices_are_an_error_that_says_what_to_install(monkeypatch, tmp_path):
    import espeakng_loader

    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(AudioError, match=r"finds no voices.*reinstall"):
        say("one", voice="en-us+f2")


def test_the_same_lines_in_the_same_order_sound_the_same():
    lines = [Line("four seven", "en-us+f2"), Line("one", "en-us+f2", 220), Line("two", "en-us+m1")]
    first, second = list(read_aloud(lines)), list(read_aloud(lines))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
    alone = say("two", voice="en-us+m1")
    assert abs(first[2].duration_s - alone.duration_s) < 0.02
