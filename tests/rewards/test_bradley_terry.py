from dataclasses import replace

import numpy as np
import pytest
import torch

from auralign.errors import DataError
from auralign.rewards.bradley_terry import BradleyTerryReward, SpeechFeatures, average, new_head
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.signals.recognisers.words import word_errors
from auralign.types import Audio, Prompt, RewardModel

PROMPTS = [Prompt("p0", "low high", "ann"), Prompt("p1", "high", "bob"), Prompt("p2", "low", None)]
WIDTH = 128


def noise(seconds: float, seed: int, rate: int = 16_000) -> Audio:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((1, round(seconds * rate)))
    return Audio(samples.astype(np.float32), rate)


@pytest.fixture(scope="module")
def audios() -> list[Audio]:
    return [noise(0.5, 0), noise(0.9, 1), noise(0.4, 2)]


@pytest.fixture(scope="module")
def features(audios) -> SpeechFeatures:
    encoder = CtcRecogniser.fit(
        audios,
        [p.text for p in PROMPTS],
        architecture="recurrent",
        n_epochs=1,
        generator=torch.Generator().manual_seed(0),
    )
    return SpeechFeatures(encoder, ("", "ann", "bob"))


@pytest.fixture(scope="module")
def reward(features, audios) -> BradleyTerryReward:
    table = torch.from_numpy(features(audios, PROMPTS))
    head = new_head(table.shape[1], torch.Generator().manual_seed(0))
    with torch.no_grad():
        head[-1].weight.normal_(generator=torch.Generator().manual_seed(1))
    return BradleyTerryReward(
        features, head.eval(), table.mean(0), table.std(0) + 1e-3, {"n_pairs": 3}
    )


def test_features_are_states_fit_errors_pace_and_the_asked_voice(features, audios):
    table = features(audios, PROMPTS)
    assert table.shape == (3, 2 * WIDTH + 7 + 3)
    assert table.dtype == np.float32
    texts = [p.text for p in PROMPTS]
    encoder = features.encoder
    heard = encoder.listen(audios, texts)
    errors = word_errors(texts, heard.transcripts)
    np.testing.assert_array_equal(table[:, : 2 * WIDTH], heard.pooled)
    nll, log_nll, log_excess, error_rate, pace, off_pace, crest, *voice = table[:, 2 * WIDTH :].T
    np.testing.assert_allclose(nll, heard.nll_per_word, rtol=1e-6)
    np.testing.assert_allclose(log_nll, np.log1p(heard.nll_per_word), rtol=1e-6)
    np.testing.assert_allclose(log_excess, np.log1p(heard.excess), rtol=1e-6)
    np.testing.assert_allclose(error_rate, [wrong / n for wrong, n in errors])
    np.testing.assert_allclose(pace, np.log([0.5 / 2, 0.9 / 1, 0.4 / 1]), rtol=1e-6)
    np.testing.assert_allclose(off_pace, (pace - np.log(0.4)) ** 2, rtol=1e-5, atol=1e-9)
    mono = [audio.mono().astype(float) for audio in audios]
    expected = [np.log(np.abs(x).max() / np.sqrt((x**2).mean())) for x in mono]
    np.testing.assert_allclose(crest, expected, rtol=1e-5)
    # No voice, ann, bob.
    np.testing.assert_array_equal(np.transpose(voice), [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_an_untrained_head_prefers_nothing(reward, audios):
    head = new_head(len(reward.centre), torch.Generator().manual_seed(3))
    untrained = replace(reward, head=head)
    np.testing.assert_array_equal(untrained.score(audios, PROMPTS), 0)


def test_the_average_scores_the_mean_of_its_members_and_is_read_back(reward, audios, tmp_path):
    other_head = new_head(len(reward.centre), torch.Generator().manual_seed(5))
    with torch.no_grad():
        other_head[-1].weight.normal_(generator=torch.Generator().manual_seed(6))
    other = replace(reward, head=other_head)
    both = average([reward, other])
    expected = (reward.score(audios, PROMPTS) + other.score(audios, PROMPTS)) / 2
    np.testing.assert_allclose(both.score(audios, PROMPTS), expected, rtol=1e-5)
    both.save(tmp_path)
    loaded = BradleyTerryReward.load(tmp_path)
    np.testing.assert_array_equal(loaded.score(audios, PROMPTS), both.score(audios, PROMPTS))


def test_a_head_that_starts_at_zero_can_still_learn():
    head = new_head(4, torch.Generator().manual_seed(0))
    head(torch.ones(1, 4)).sum().backward()
    assert head[-1].weight.grad.abs().sum() > 0


def test_the_score_is_the_head_on_standardised_features(reward, features, audios):
    table = torch.from_numpy(features(audios, PROMPTS))
    expected = reward.head((table - reward.centre) / reward.spread)[:, 0].detach()
    scores = reward.score(audios, PROMPTS)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert scores.std() > 0.1


def test_a_clip_scores_the_same_in_any_company(reward, audios):
    together = reward.score(audios, PROMPTS)
    alone = [reward.score([a], [p])[0] for a, p in zip(audios, PROMPTS, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_same_clip_twice_scores_the_same_twice(reward, audios):
    twice = reward.score([audios[0], audios[1], audios[0]], [PROMPTS[0], PROMPTS[1], PROMPTS[0]])
    assert twice[0] == pytest.approx(twice[2], abs=1e-5)


def test_the_prompt_matters(reward, audios):
    one, other = reward.score([audios[0], audios[0]], PROMPTS[:2])
    assert one != pytest.approx(other, abs=1e-3)


def test_other_rates_and_channels_are_converted(reward):
    t = np.arange(24_000) / 48_000
    tone = (0.2 * np.sin(2 * np.pi * (300 * t + 2000 * t**2))).astype(np.float32)
    wide = Audio(np.stack([tone, tone]), 48_000)
    direct = Audio(tone[None, ::3], 16_000)
    scores = reward.score([wide, direct], [PROMPTS[0], PROMPTS[0]])
    assert scores[0] == pytest.approx(scores[1], abs=0.1 * np.abs(scores).max() + 0.05)


def test_saved_and_loaded_it_scores_the_same(reward, audios, tmp_path):
    reward.save(tmp_path)
    loaded = BradleyTerryReward.load(tmp_path)
    np.testing.assert_array_equal(loaded.score(audios, PROMPTS), reward.score(audios, PROMPTS))
    assert loaded.card == reward.card
    assert loaded.features.conditions == reward.features.conditions


def test_a_word_that_the_encoder_does_not_know_is_an_error(reward, audios):
    with pytest.raises(DataError, match="does not know the word 'middle'"):
        reward.score(audios[:1], [Prompt("p", "middle", "ann")])


def test_it_is_a_reward_model(reward):
    assert isinstance(reward, RewardModel)
    assert reward.sample_rate == 16_000
