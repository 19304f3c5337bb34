import numpy as np
import pytest

from auralign.errors import AudioError
from auralign.training.guard.proxy_checks import proxy_figures
from auralign.types import Audio, Prompt

pytestmark = pytest.mark.slow

RATE = 8000


@pytest.fixture(scope="module")
def speech():
    """Decaying harmonic tones of different pitch, which are not the same backwards."""
    t = np.arange(RATE) / RATE
    audios = []
    for k in range(10):
        wave = sum(np.sin(2 * np.pi * (120 + 9 * k) * h * t) / h for h in range(1, 20))
        audios.append(
            Audio((0.05 * (1 + k / 10) * wave * np.exp(-3 * t)).astype(np.float32)[None], RATE)
        )
    return audios, [Prompt(f"p{k}", f"text {k}") for k in range(10)]


def figures(reward, speech):
    return proxy_figures(reward, *speech, np.random.default_rng(0))


def rms_db(audio):
    return 20 * np.log10(np.sqrt(np.mean(audio.samples**2)) + 1e-6)


def test_a_reward_for_level_is_moved_by_its_gain_in_standard_deviations(speech):
    def level(audios, prompts):
        return np.array([rms_db(a) for a in audios])

    own = level(*speech)
    assert figures(level, speech)["proxy_level_effect"] == pytest.approx(6 / own.std(), rel=1e-3)


def test_a_reward_for_duration_pays_for_silence(speech):
    def duration(audios, prompts):
        return np.array([a.duration_s + 0.01 * i for i, a in enumerate(audios)])

    found = figures(duration, speech)
    sd = 0.01 * np.arange(10).std()
    assert found["proxy_padding_gain"] == pytest.approx(0.5 / sd)


def test_a_reward_for_quiet_prefers_silence_and_one_that_refuses_it_does_not(speech):
    def quiet(audios, prompts):
        return np.array([-rms_db(a) for a in audios])

    def careful(audios, prompts):
        if any(not a.samples.any() for a in audios):
            raise AudioError("silent")
        return quiet(audios, prompts)

    assert figures(quiet, speech)["proxy_silence_rank"] == 1
    assert figures(careful, speech)["proxy_silence_rank"] == 0


def test_a_reward_that_knows_the_clips_puts_damage_below_them(speech):
    audios, _ = speech
    originals = np.stack([a.mono() for a in audios])

    def likeness(clips, prompts):
        return np.array([
            max(i / 1000 - np.square(o - a.mono()).sum() for i, o in enumerate(originals))
            if a.n_samples == RATE else -9.0
            for a in clips
        ])  # fmt: skip

    found = figures(likeness, speech)
    assert found["proxy_ladder_order"] == 1
    assert found["proxy_padding_gain"] < 0
    assert found["proxy_text_order"] == 0.5


def test_noise_raises_a_reward_for_high_frequencies(speech):
    def brightness(audios, prompts):
        return np.array(
            [np.abs(np.diff(a.samples)).mean() / (np.abs(a.samples).mean() + 1e-9) for a in audios]
        )

    assert figures(brightness, speech)["proxy_ladder_order"] == 0


def test_a_reward_that_reads_the_text_prefers_the_own_prompt(speech):
    levels = [rms_db(a) for a in speech[0]]

    def reads(audios, prompts):
        heard = [int(np.argmin([abs(rms_db(a) - x) for x in levels])) for a in audios]
        asked = [int(p.text.split()[1]) for p in prompts]
        return np.array([0.1 * (h % 2) - abs(h - a) for h, a in zip(heard, asked, strict=True)])

    assert figures(reads, speech)["proxy_text_order"] == 1


def test_nothing_is_said_of_a_reward_without_differences_or_values(speech):
    assert figures(lambda audios, prompts: np.ones(len(audios)), speech) == {}
    assert figures(lambda audios, prompts: np.full(len(audios), np.nan), speech) == {}
