import numpy as np
import pytest

from auralign.audio.degrade import CODECS, through_codec
from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

pytestmark = pytest.mark.slow

BEST = {"mp3": np.inf, "opus": np.inf, "vorbis": 1.0}


def noise(rate: int, channels: int = 1) -> Audio:
    """A second and a bit of noise below 2 kHz."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal((channels, rate + 77)))
    spectrum[:, 2000:] = 0
    samples = np.fft.irfft(spectrum, rate + 77)
    return Audio((0.1 * samples / samples.std()).astype(np.float32), rate)


def delay(audio: Audio, coded: Audio) -> int:
    x, y = (a.mono().astype(np.float64) for a in (audio, coded))
    n = 2 * x.size
    likeness = np.fft.irfft(np.fft.rfft(y, n) * np.fft.rfft(x, n).conj())
    lag = int(np.argmax(likeness))
    return lag - n if lag > n // 2 else lag


def snr_db(audio: Audio, coded: Audio) -> float:
    error = np.sum((coded.samples - audio.samples) ** 2.0)
    return float(10 * np.log10(np.sum(audio.samples**2.0) / error))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_rate_length_and_time_stay(codec, rate):
    coded = through_codec(noise(rate), codec, BEST[codec])
    assert (coded.sample_rate, coded.n_samples) == (rate, rate + 77)
    assert delay(noise(rate), coded) == 0


@pytest.mark.parametrize("kbps", [16, 40, 64])
def test_mp3_keeps_time_where_its_header_has_no_room_for_the_delay(kbps):
    for rate in (22_050, 24_000):
        assert abs(delay(noise(rate), through_codec(noise(rate), "mp3", kbps))) <= 1


@pytest.mark.parametrize(
    ("codec", "settings"),
    [("mp3", (96, 48, 24, 8)), ("opus", (64, 24, 12, 6)), ("vorbis", (1, 0.6, 0.3, 0))],
)
def test_a_lower_setting_is_further_from_the_input(codec, settings):
    distance = [snr_db(noise(16_000), through_codec(noise(16_000), codec, s)) for s in settings]
    assert distance == sorted(distance, reverse=True)


def test_channels_stay_apart():
    stereo = noise(16_000, channels=2)
    coded = through_codec(stereo, "vorbis", 1)
    assert snr_db(stereo, coded) > 10


def test_an_unknown_codec_suggests_the_near_one():
    with pytest.raises(ConfigError, match=r"'opuss' is not one of .*did you mean 'opus'"):
        through_codec(noise(16_000), "opuss", 32)


def test_a_bit_rate_that_the_clip_does_not_allow_names_the_range():
    with pytest.raises(AudioError, match="1 channels at 8000 Hz with 8 to 64 kbit/s, not 128"):
        through_codec(noise(8_000), "mp3", 128)


def test_a_quality_above_one_is_an_error():
    with pytest.raises(ConfigError, match="quality from 0 to 1"):
        through_codec(noise(16_000), "vorbis", 3)
