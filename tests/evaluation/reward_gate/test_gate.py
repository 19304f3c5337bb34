"""Rewards of which it is known what they look at, put through the gate."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from auralign.audio import as_audio
from auralign.data import StudyFolder
from auralign.errors import ConfigError, DataError
from auralign.evaluation.reward_gate.gate import gate_reward, verdict_of
from auralign.evaluation.reward_gate.gate_probes import GateTest
from auralign.evaluation.reward_gate.rewards_under_test import (
    RewardUnderTest,
    reward_from_model,
    reward_from_signal,
)
from auralign.types import Prompt, Score, ScoreStatus, Source, Split

RATE = 16_000
CLEAN_DB = 30.0

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fewer_resamples")]


def rng():
    return np.random.default_rng(0)


def voice(seconds, snr_db, pitch, generator):
    """A sound with harmonics and pauses, and white noise under it."""
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = (np.sin(2 * np.pi * 2.5 * t + generator.uniform(0, 6)) > -0.3).astype(float)
    envelope = np.convolve(envelope, np.hanning(200) / np.hanning(200).sum(), "same")
    sound = sum(np.sin(2 * np.pi * pitch * k * t + k) / k for k in range(1, 20)) * envelope
    sound *= 0.05 / np.sqrt(np.mean(sound**2))
    noise = generator.standard_normal(t.size) * 0.05 * 10 ** (-snr_db / 20)
    return as_audio((sound + noise).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def noises():
    """Clip id -> the noise that was put under it [dB below the sound]."""
    return {}


@pytest.fixture(scope="module")
def study(tmp_path_factory, of, noises):
    """Listeners who mind noise, and nothing else; every clip has a pitch of its own prompt."""
    generator = rng()
    path = tmp_path_factory.mktemp("gate") / "study"
    folder = StudyFolder.create(path, name="noisy", simulated=True)
    prompts = [Prompt(f"p{k}", f"say {k}") for k in range(8)]
    votes, clips = [], []
    for k, prompt in enumerate(prompts):
        own = []
        for system in range(5):
            snr_db = 6.0 + 6.0 * system + generator.normal() * 2
            audio = voice(generator.uniform(0.8, 1.4), snr_db, 100 + 8 * k, generator)
            clip = folder.add_audio(audio, prompt_id=prompt.id, system=f"s{system}")
            noises[clip.id] = snr_db
            own.append(clip)
        clips += own
        for rater in range(16):
            a, b = generator.choice(5, 2, replace=False)
            gap = noises[own[a].id] - noises[own[b].id] + generator.logistic()
            votes.append(of.vote(own[a], own[b], gap, f"r{rater}"))
    folder.write_prompts(prompts)
    folder.write_clips(clips)
    folder.write_judgements(votes)
    return folder


def scored(item, value):
    status = ScoreStatus.OK if value is not None else ScoreStatus.SKIPPED
    return Score(item.clip_id, "mine", value, status)


def rewards_by(value_of, *, takes_text=False, dimensions=("overall",)):
    """A reward that says what `value_of` says of an item; None is no answer."""

    def ask(items):
        values = [value_of(item) for item in items]
        return [
            Score(
                item.clip_id, "mine", value, *([] if value is not None else [ScoreStatus.SKIPPED])
            )
            for item, value in zip(items, values, strict=True)
        ]

    return RewardUnderTest("mine", "1", dimensions, takes_text, ask)


def samples(item):
    return item.audio.samples[0].astype(np.float64)


def cleanness(item):
    """How far the loud frames are above the quiet ones [dB]: whatever the level and the length."""
    x = samples(item)
    power = np.square(x[: x.size - x.size % 320].reshape(-1, 320)).mean(axis=1)
    if power.max() <= 0:
        return None
    loud, quiet = np.percentile(10 * np.log10(power + 1e-12), [95, 10])
    return float(loud - quiet)


def gated(study, reward, **settings):
    found = gate_reward(study.path, reward, n_pairs=16, n_ladders=3, rng=rng(), **settings)
    return found, {test.name: test for test in found.tests}


def test_a_reward_that_hears_what_listeners_hear_agrees_with_them(study):
    found, tests = gated(study, rewards_by(cleanness))
    assert tests["pair accuracy"].verdict == "pass"
    assert tests["better than duration"].verdict == "pass"
    assert tests["coverage"].number == 1
    for name in ("swap", "gain", "length", "noise"):
        assert tests[name].verdict == "pass", tests[name]
    assert tests["text"].verdict == "not applicable"
    assert tests["ladders"].details["noise/white"].value == 1
    assert (found.signal, found.dimension, found.n_clips) == ("mine", "overall", 40)


def test_duration_in_disguise_fails_where_listeners_mind_noise(study):
    found, tests = gated(study, rewards_by(lambda item: item.audio.duration_s))
    assert found.verdict == "failed"
    assert tests["better than duration"].verdict == "fail"
    assert tests["length"].verdict == "fail"
    assert tests["silence"].verdict == "fail"
    assert tests["gain"].verdict == "pass"


def test_loudness_in_disguise_turns_with_the_gain(study):
    reward = rewards_by(lambda item: float(np.mean(samples(item) ** 2)))
    found, tests = gated(study, reward)
    assert found.verdict == "failed"
    assert tests["gain"].estimate.low > 0.5
    assert tests["silence"].verdict == "pass"


def test_chance_fails_whatever_it_is_made_of(study):
    def drawn(item):
        return float(np.random.default_rng(int(item.clip_id[:8], 16)).random())

    _, tests = gated(study, rewards_by(drawn))
    assert tests["pair accuracy"].verdict in ("fail", "cannot tell")
    assert tests["ladders"].verdict == "fail"
    assert gated(study, rewards_by(lambda item: 1.0))[1]["differences"].verdict == "fail"


def test_an_answer_that_depends_on_the_company_fails_the_swap(study):
    reward = rewards_by(cleanness)

    def ask(items):
        return [Score(item.clip_id, "mine", float(place)) for place, item in enumerate(items)]

    swapped = RewardUnderTest("mine", "1", ("overall",), False, ask)
    assert gated(study, swapped)[1]["swap"].verdict == "fail"
    assert gated(study, reward)[1]["swap"].estimate.value == 0


def test_what_likes_noise_better_than_sound_fails(study):
    zero_crossings = rewards_by(lambda item: float(np.mean(np.diff(np.sign(samples(item))) != 0)))
    _, tests = gated(study, zero_crossings)
    assert tests["noise"].verdict == "fail"
    assert tests["pair accuracy"].estimate.high < 0.5
    # More noise on the ladder, more crossings.
    assert tests["ladders"].details["noise/white"].value == 0
    assert "likes the worse of noise/white" in tests["ladders"].sentence


def test_a_reward_for_the_text_is_asked_with_another_text(study):
    def reads(item):
        """The pitch tells which prompt it was: 8 Hz for each."""
        spectrum = np.abs(np.fft.rfft(samples(item), 8 * RATE))
        low = spectrum[8 * 90 : 8 * 200]
        pitch = (np.argmax(low) + 8 * 90) / 8
        asked = 100 + 8 * int(item.text.split()[1])
        return -abs(pitch - asked) + 0.01 * (cleanness(item) or 0)

    deaf = rewards_by(cleanness, takes_text=True)
    reading = rewards_by(reads, takes_text=True)
    text = gated(study, reading)[1]["text"]
    assert (text.verdict, text.estimate.value > 0.9) == ("pass", True)
    text = gated(study, deaf)[1]["text"]
    assert (text.verdict, text.sentence) == ("fail", "it says the same with another text")


def test_clips_without_a_value_count_against_the_coverage(study):
    _, tests = gated(study, rewards_by(lambda i: cleanness(i) if i.audio.duration_s > 1 else None))
    assert tests["coverage"].verdict == "fail"
    assert tests["coverage"].number < 0.8


def test_a_signal_is_asked_about_the_study_and_turned_so_that_more_is_better(study, noises):
    floor = reward_from_signal("noise_floor")
    assert floor.name == "noise_floor.noise_floor_dbfs"
    _, tests = gated(study, floor)
    assert tests["pair accuracy"].verdict == "pass"
    stoi = gated(study, reward_from_signal("stoi"))
    assert stoi[1]["coverage"].sentence == (
        "0 of 40 judged clips have a value; 40 needs a reference that is aligned in time"
    )
    assert stoi[0].verdict == "failed"


def test_a_reward_model_is_asked_with_texts_and_labels(study):
    class Model:
        @property
        def card(self):
            return {"dimension": "overall"}

        def score(self, audios, prompts):
            assert {p.text.split()[0] for p in prompts} == {"say"}
            return np.array([audio.duration_s for audio in audios])

    reward = reward_from_model(Model(), "model")
    found, tests = gated(study, reward)
    assert (found.signal, tests["length"].verdict) == ("model", "fail")
    assert any("8 of 8 prompts are of the split 'train'" in text for text in found.warnings)


def test_a_model_is_held_to_prompts_that_it_was_not_trained_on(study, tmp_path):
    study = StudyFolder.open(shutil.copytree(study.path, tmp_path / "study"))
    kept_back = [replace(p, split=Split.TEST) for p in study.prompts()[:6]]
    study.write_prompts([*kept_back, *study.prompts()[6:]])
    reward = replace(rewards_by(cleanness), is_trained=True)
    found, _ = gated(study, reward, split="test")
    assert found.n_prompts == 6
    assert not any("split" in text for text in found.warnings)
    with pytest.raises(DataError, match="split 'validation', found none"):
        gated(study, reward, split="validation")


def test_a_measure_has_to_be_named_and_has_to_judge():
    with pytest.raises(ConfigError, match=r"choose one of sdr\.si_sdr, sdr\.snr, sdr"):
        reward_from_signal("sdr.si_sdrr")
    with pytest.raises(ConfigError, match="'integrity' is not one measure"):
        reward_from_signal("integrity")
    with pytest.raises(ConfigError, match="describes and does not judge"):
        reward_from_signal("integrity.duration_s")


def test_without_audio_nobody_can_tell_more_than_the_scores_do(simulate, of, tmp_path):
    simulated = simulate()
    said = simulated.noisy(0.2)
    votes = StudyFolder.open(simulated.path).judgements()
    scores = [of.rating(c, said[c.id], "mine@1", source=Source.METRIC) for c in simulated.clips]
    of.study(tmp_path / "scored", simulated.clips, [*votes, *scores])
    reward = rewards_by(cleanness)
    found = gate_reward(tmp_path / "scored", reward, rng=rng())
    tests = {test.name: test for test in found.tests}
    assert tests["pair accuracy"].verdict == "pass"
    assert tests["gain"].verdict == "cannot tell"
    assert found.verdict == "cannot tell"
    with pytest.raises(DataError, match="no values of 'mine' among its judgements"):
        gate_reward(simulated.path, reward, rng=rng())


def test_agreeing_on_516_of_1000_pairs_is_not_enough_however_many_there_are(of, tmp_path):
    # What MuLan reaches on MusicRL's pairs (arXiv 2402.04229).
    clips = of.clips(2, 2000, rng())
    votes = [of.vote(*clips[k : k + 2], 1, "r") for k in range(0, 4000, 2)]
    likes = [k % 1000 < 516 for k in range(2000)]
    scores = [
        of.rating(clip, float((k % 2 == 0) == likes[k // 2]), "mulan@1", source=Source.METRIC)
        for k, clip in enumerate(clips)
    ]
    of.study(tmp_path / "s", clips, [*votes, *scores])
    mulan = RewardUnderTest("mulan", "1", ("overall",), True, lambda items: [])
    found = gate_reward(tmp_path / "s", mulan, rng=rng())
    test = next(test for test in found.tests if test.name == "pair accuracy")
    assert test.estimate.value == pytest.approx(0.516)
    assert (test.verdict, found.verdict) == ("fail", "failed")


def test_the_verdict_is_that_of_the_worst_test():
    def of(*verdicts):
        return verdict_of([GateTest(f"t{k}", v, "") for k, v in enumerate(verdicts)])

    assert of("pass", "not applicable", "pass") == "passed"
    assert of("pass", "cannot tell") == "cannot tell"
    assert of("cannot tell", "fail", "pass") == "failed"
