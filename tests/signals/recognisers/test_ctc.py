from itertools import groupby, product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auralign.errors import DataError
from auralign.signals.recognisers.ctc import MAX_NLL_PER_WORD, CtcRecogniser
from auralign.types import Audio

PITCH = {"low": 400.0, "high": 1600.0}
QUARTER_FRAME = 4 * 160
"""Samples that one frame of the network's output stands for."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def speak(text: str, rng: np.random.Generator, rate: int = 16_000) -> Audio:
    """Each word a tone of its pitch, 0.12 to 0.2 s, between pauses with a little noise."""
    pieces = [np.zeros(rate // 20)]
    for word in text.split():
        t = np.arange(round(rng.uniform(0.12, 0.2) * rate)) / rate
        pieces += [0.2 * np.sin(2 * np.pi * PITCH[word] * t), np.zeros(rate // 12)]
    samples = np.concatenate(pieces)
    samples += 0.001 * rng.standard_normal(len(samples))
    return Audio(samples.astype(np.float32)[None], rate)


def corpus(n: int, seed: int) -> tuple[list[Audio], list[str]]:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(list(PITCH), size=rng.integers(1, 4))) for _ in range(n)]
    return [speak(text, rng) for text in texts], texts


@pytest.fixture(scope="module", params=["convolutional", "recurrent"])
def recogniser(request) -> CtcRecogniser:
    return CtcRecogniser.fit(
        *corpus(64, seed=0),
        architecture=request.param,
        n_epochs=8,
        generator=seeded(),
        batch_size=16,
        learning_rate=5e-3,
    )


class Spoken(nn.Module):
    """An encoder that returns prescribed logits, whatever it hears."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return self.logits.expand(len(features), -1, -1)


def prescribed(logits: Tensor, words: tuple[str, ...] = ("a", "b")) -> tuple[CtcRecogniser, Audio]:
    """A recogniser that hears these logits `[frames, 1 + words]` in the audio beside it."""
    network = nn.ModuleDict({"encoder": Spoken(logits), "head": nn.Identity()})
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(logits) * QUARTER_FRAME - 1)
    audio = Audio(noise.astype(np.float32)[None], 16_000)
    return CtcRecogniser(network, "recurrent", words), audio


def test_it_learns_two_words_and_hears_them_in_new_clips(recogniser):
    audios, texts = corpus(40, seed=1)
    right = [
        heard == text for heard, text in zip(recogniser.transcribe(audios), texts, strict=True)
    ]
    assert np.mean(right) > 0.9


def test_the_right_text_is_likelier_than_a_wrong_one(recogniser):
    audios, texts = corpus(40, seed=2)
    wrong = [text.replace("low", "x").replace("high", "low").replace("x", "high") for text in texts]
    right_nll, wrong_nll = (recogniser.listen(audios, t).nll_per_word for t in (texts, wrong))
    assert (right_nll < wrong_nll).mean() > 0.95


def test_a_clip_is_heard_the_same_in_any_company(recogniser):
    audios, texts = corpus(12, seed=3)
    _, nll, excess, pooled = recogniser.listen(audios, texts)
    for i, (audio, text) in enumerate(zip(audios, texts, strict=True)):
        alone = recogniser.listen([audio], [text])
        np.testing.assert_allclose(alone.nll_per_word, nll[i], atol=1e-3)
        np.testing.assert_allclose(alone.excess, excess[i], atol=1e-3)
        np.testing.assert_allclose(alone.pooled[0], pooled[i], atol=1e-4)


def test_the_excess_is_what_the_heard_text_is_likelier_by(recogniser):
    audios, _ = corpus(12, seed=6)
    asked = ["low low high"] * len(audios)
    heard = recogniser.listen(audios, asked)
    own = recogniser.listen(audios, heard.transcripts)
    n_words = np.array([len(text.split()) for text in heard.transcripts])
    difference = heard.nll_per_word - own.nll_per_word * n_words / 3
    np.testing.assert_allclose(heard.excess, np.maximum(difference, 0), atol=1e-5)
    assert (own.excess == 0).all()


def test_the_level_and_the_rate_of_a_clip_do_not_matter(recogniser):
    rng = np.random.default_rng(4)
    loud = speak("low high low", rng)
    quiet = Audio(loud.samples * np.float32(0.3), loud.sample_rate)
    wide = speak("low high low", rng, rate=44_100)
    assert recogniser.transcribe([loud, quiet, wide]) == ["low high low"] * 3


def test_saved_and_loaded_it_hears_the_same(recogniser, tmp_path):
    recogniser.save(tmp_path / "recogniser.pt")
    loaded = CtcRecogniser.load(tmp_path / "recogniser.pt")
    audios, texts = corpus(10, seed=5)
    assert (loaded.words, loaded.architecture) == (recogniser.words, recogniser.architecture)
    assert loaded.transcribe(audios) == recogniser.transcribe(audios)
    np.testing.assert_array_equal(
        loaded.listen(audios, texts).nll_per_word, recogniser.listen(audios, texts).nll_per_word
    )


def test_a_trained_recogniser_is_frozen(recogniser):
    assert not any(p.requires_grad for p in recogniser.network.parameters())
    assert not any(module.training for module in recogniser.network.modules())


def test_pooled_states_are_their_mean_and_maximum_over_the_clip():
    states = torch.randn(5, 128, generator=seeded())
    recogniser, audio = prescribed(states, words=tuple(map(str, range(127))))
    pooled = recogniser.listen([audio], ["0"]).pooled
    expected = np.concatenate([states.mean(0).numpy(), states.amax(0).numpy()])
    np.testing.assert_allclose(pooled[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ([1, 1, 1, 1], "a"),
        ([1, 1, 0, 1], "a a"),
        ([0, 1, 2, 2, 0, 0, 2, 1], "a b b a"),
        ([0, 0, 0], ""),
    ],
)
def test_transcribing_merges_repeats_and_drops_blanks(path, text):
    recogniser, audio = prescribed(nn.functional.one_hot(torch.tensor(path), 3).float())
    assert recogniser.transcribe([audio]) == [text]


def test_the_likelihood_of_a_text_sums_over_every_alignment():
    """All 3^5 paths of five frames that merge to the text (Graves et al. 2006, eq. 3)."""
    logits = torch.randn(5, 3, generator=seeded())
    recogniser, audio = prescribed(logits)
    probability = torch.softmax(logits.double(), dim=-1)
    for words in ("a", "b", "a b", "a a", "b a b"):
        total = 0.0
        for path in product(range(3), repeat=5):
            merged = [symbol for symbol, _ in groupby(path) if symbol]
            if [recogniser.words[s - 1] for s in merged] == words.split():
                total += float(np.prod([probability[t, s] for t, s in enumerate(path)]))
        expected = -np.log(total) / len(words.split())
        np.testing.assert_allclose(
            recogniser.listen([audio], [words]).nll_per_word, expected, rtol=1e-5
        )


def test_a_clip_too_short_for_its_text_and_a_hopeless_one_get_the_cap():
    recogniser, audio = prescribed(torch.zeros(2, 3))
    assert recogniser.listen([audio], ["a b a"]).nll_per_word.tolist() == [MAX_NLL_PER_WORD]
    silent, audio = prescribed(torch.tensor([[100.0, 0.0, 0.0]] * 3))
    assert silent.listen([audio], ["a"]).nll_per_word.tolist() == [MAX_NLL_PER_WORD]


@pytest.mark.parametrize("architecture", ["convolutional", "recurrent"])
def test_a_training_clip_too_short_for_its_text_teaches_nothing_and_breaks_nothing(architecture):
    audios, texts = corpus(6, seed=6)
    audios[2] = Audio(audios[2].samples[:, :300], 16_000)
    texts[2] = "low high low"
    recogniser = CtcRecogniser.fit(
        audios, texts, architecture=architecture, n_epochs=1, generator=seeded()
    )
    assert all(p.isfinite().all() for p in recogniser.network.parameters())


def test_the_same_generator_trains_the_same_recogniser_and_the_global_one_is_not_touched():
    state = torch.get_rng_state()
    fits = [
        CtcRecogniser.fit(
            *corpus(8, seed=7), architecture="recurrent", n_epochs=1, generator=seeded(seed)
        )
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), state)
    one, same, other = (next(fit.network.parameters()) for fit in fits)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_progress_counts_the_epochs():
    seen: list[tuple[int, int]] = []
    CtcRecogniser.fit(
        *corpus(4, seed=8),
        architecture="recurrent",
        n_epochs=2,
        generator=seeded(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]


def test_a_word_it_was_not_trained_on_is_an_error():
    recogniser, audio = prescribed(torch.zeros(4, 3), words=("low", "high"))
    with pytest.raises(DataError, match=r"does not know the word 'hihg' \(did you mean 'high'\?\)"):
        recogniser.listen([audio], ["low hihg"])
