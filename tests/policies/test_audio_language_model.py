"""A tiny Qwen2-Audio with random weights, a vocabulary of a dozen words and ears for one second."""

import itertools

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from scipy.stats import chi2

from auralign.errors import AudioError, DataError
from auralign.policies.audio_language_model import AudioLanguagePolicy
from auralign.policies.reference import precomputed_reference
from auralign.types import Audio, Prompt, TokenPolicy, Tokens
from pretended_device import require_same_elsewhere

pytestmark = pytest.mark.slow

MARKS = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
WORDS = ["<pad>", "<unk>", "<end>", *MARKS, "what", "is", "this", "drum", "bell"]
END, MARK = 2, 3
RATE = 16_000


def noise(seconds: float, rate: int = RATE) -> Audio:
    samples = np.random.default_rng(0).normal(size=(1, round(seconds * rate)))
    return Audio(0.1 * samples.astype(np.float32), rate)


SOUNDS = {
    "short": noise(0.3),
    "long": noise(0.9),
    "tiny": noise(0.05),
    "endless": noise(1.1),
    "silent": Audio(np.zeros((1, RATE), dtype=np.float32), RATE),
}
PROMPTS = [
    Prompt("p0", "what is this", reference_clip="short"),
    Prompt("p1", "what", reference_clip="long"),
]


def load(prompt: Prompt) -> Audio:
    return SOUNDS[prompt.reference_clip]


def processor() -> transformers.Qwen2AudioProcessor:
    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>")
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<end>",
        additional_special_tokens=MARKS,
    )
    ears = transformers.WhisperFeatureExtractor(feature_size=4, chunk_length=1)
    return transformers.Qwen2AudioProcessor(ears, words)


def make_policy(max_ids: int = 4) -> AudioLanguagePolicy:
    config = transformers.Qwen2AudioConfig(
        audio_config={
            "num_mel_bins": 4,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 8,
            "d_model": 8,
            "max_source_positions": 50,
            "dropout": 0.2,
            "encoder_layerdrop": 0.3,
        },
        text_config={
            "vocab_size": len(WORDS),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "initializer_range": 0.4,
        },
        audio_token_index=MARK,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.Qwen2AudioForConditionalGeneration(config)
    return AudioLanguagePolicy(model, processor(), load, max_ids, END)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def answer(*ids: int) -> Tokens:
    return np.array([ids], dtype=np.int64)


def inputs_of(policy: AudioLanguagePolicy, prompt: Prompt) -> dict[str, torch.Tensor]:
    text = policy.pattern.format(text=prompt.text)
    sound = load(prompt).mono()
    return policy.processor(text=text, audio=sound, sampling_rate=RATE, return_tensors="pt")


@torch.no_grad()
def one_id_at_a_time(policy: AudioLanguagePolicy, prompt: Prompt, clip: Tokens) -> list[float]:
    """Read the next id's log-probability after each prefix, without padding, batch or cache."""
    inputs, logps = inputs_of(policy, prompt), []
    ends = [END] if clip.shape[1] < policy.max_ids else []
    for new in [*clip[0].tolist(), *ends]:
        logits = policy.model(**inputs).logits[0, -1]
        logits[MARK] = -torch.inf
        logps.append(torch.log_softmax(logits, -1)[new].item())
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[new]])], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    return logps


ANSWERS = [answer(9, 0, 10), answer(10), answer(), answer(9, 9, 9, 4)]
ASKED = [PROMPTS[0], PROMPTS[1], PROMPTS[0], PROMPTS[1]]


def test_log_probabilities_equal_reading_one_id_at_a_time():
    policy = make_policy()
    assert isinstance(policy, TokenPolicy)
    logps, scored = policy.token_logps(ASKED, ANSWERS)
    assert logps.shape == scored.shape == (4, 1, 5)
    for prompt, clip, row, mask in zip(ASKED, ANSWERS, logps, scored, strict=True):
        slow = one_id_at_a_time(policy, prompt, clip)
        np.testing.assert_allclose(row[mask].detach(), slow, rtol=1e-4, atol=1e-5)
        assert not row[~mask].any()


def test_the_sft_loss_is_the_models_own_loss_without_the_mark_among_the_words():
    policy = make_policy()
    inputs, clip = inputs_of(policy, PROMPTS[0]), answer(9, 0, 10)
    written = torch.tensor([[9, 0, 10, END]])
    n = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], written], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    labels = inputs["input_ids"].clone()
    labels[:, :n] = -100
    out = policy.model(**inputs, labels=labels)
    mark = torch.softmax(out.logits[0, n - 1 : -1], dim=-1)[:, MARK]
    expected = out.loss + torch.log1p(-mark).mean()
    torch.testing.assert_close(policy.sft_loss(PROMPTS[:1], [clip]), expected)


def test_longer_prompts_sounds_and_answers_beside_it_change_nothing():
    policy = make_policy()
    together, _ = policy.token_logps(ASKED, ANSWERS)
    for i, (prompt, clip) in enumerate(zip(ASKED, ANSWERS, strict=True)):
        alone, _ = policy.token_logps([prompt], [clip])
        n = clip.shape[1] + 1
        torch.testing.assert_close(together[i, :, :n], alone[0, :, :n])


def test_the_sound_is_heard():
    policy, clips = make_policy(), [answer(9)]
    other = Prompt("p0", "what is this", reference_clip="long")
    base, _ = policy.token_logps(PROMPTS[:1], clips)
    assert not torch.isclose(policy.token_logps([other], clips)[0], base).all()


def test_other_sounds_behind_the_same_names_are_another_reference(tmp_path, monkeypatch):
    policy, path = make_policy().frozen_copy(), tmp_path / "reference.safetensors"
    before = precomputed_reference(policy, ASKED, ANSWERS, path).sequence_logps(ASKED, ANSWERS)
    for name, other in (("short", "long"), ("long", "short")):
        monkeypatch.setitem(SOUNDS, name, {"short": noise(0.3), "long": noise(0.9)}[other])
    after = precomputed_reference(policy, ASKED, ANSWERS, path).sequence_logps(ASKED, ANSWERS)
    np.testing.assert_allclose(after, policy.sequence_logps(ASKED, ANSWERS), rtol=1e-5)
    assert abs(after - before).min() > 1e-4


def test_the_policy_scores_and_samples_on_another_device():
    require_same_elsewhere(make_policy, ASKED, ANSWERS)


def test_samples_come_as_often_as_their_probabilities_say():
    policy, n = make_policy(max_ids=1), 400
    words = [answer(i) for i in range(len(WORDS)) if i not in (END, MARK)]
    clips = [answer(), *words]
    rollout = policy.sample(PROMPTS[:1], n, generator=seeded(), batch_size=n)
    expected = n * np.exp(policy.sequence_logps(PROMPTS[:1] * len(clips), clips))
    assert expected.sum() == pytest.approx(n, rel=1e-5)
    drawn = [clip.tolist() for clip in rollout.tokens]
    counts = np.array([drawn.count(clip.tolist()) for clip in clips])
    assert counts.sum() == n
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert statistic < chi2.ppf(0.999, len(clips) - 1)


def test_an_answer_is_terminated_when_it_ended_before_the_limit():
    policy = make_policy(max_ids=3)
    rollout = policy.sample(PROMPTS, 10, generator=seeded(), batch_size=7)
    lengths = np.array([clip.shape[1] for clip in rollout.tokens])
    np.testing.assert_array_equal(rollout.terminated, lengths < 3)
    assert rollout.terminated.any()
    assert not rollout.terminated.all()
    asked = [PROMPTS[i] for i in rollout.prompt_index]
    slow = [
        sum(one_id_at_a_time(policy, p, c))
        for p, c in itertools.islice(zip(asked, rollout.tokens, strict=True), 4)
    ]
    np.testing.assert_allclose(rollout.logp[:4], slow, rtol=1e-4)


def test_answers_are_read_as_words():
    assert make_policy().text([answer(9, 10), answer()]) == ["drum bell", ""]


def test_training_mode_changes_nothing_because_dropout_is_off():
    policy = make_policy()
    policy.model.eval()
    quiet, _ = policy.token_logps(ASKED, ANSWERS)
    policy.model.train()
    assert torch.equal(policy.token_logps(ASKED, ANSWERS)[0], quiet)


@pytest.mark.parametrize(
    ("clip", "complaint"),
    [
        (np.zeros((2, 1), dtype=int), r"expected ids \[1, time\] of at most 4, got shape \(2, 1\)"),
        (answer(*[9] * 5), r"of at most 4, got shape \(1, 5\)"),
        (answer(9, END), r"without the end \(2\) and the mark of the sound \(3\), got 2"),
        (answer(MARK), r"and the mark of the sound \(3\), got 3"),
        (answer(99), "ids of words from 0 to 10, .* got 99"),
    ],
)
def test_an_answer_that_the_policy_cannot_have_given_is_an_error(clip, complaint):
    with pytest.raises(DataError, match=f"answer 0: .*{complaint}"):
        make_policy().token_logps(PROMPTS[:1], [clip])


@pytest.mark.parametrize(
    ("name", "error", "complaint"),
    [
        ("tiny", AudioError, "at least 0.1 s of audio"),
        ("silent", AudioError, "digital silence"),
        ("endless", DataError, r"at most 1 s, got 1\.1 s"),
    ],
)
def test_a_sound_that_cannot_be_heard_in_whole_is_an_error(name, error, complaint):
    asked = Prompt("p", "what", reference_clip=name)
    with pytest.raises(error, match=f"the sound of prompt 'p': expected .*{complaint}"):
        make_policy().token_logps([asked], [answer(9)])


def test_a_saved_model_is_loaded_as_the_policy_that_it_was(tmp_path):
    policy = make_policy()
    policy.model.save_pretrained(tmp_path)
    policy.processor.save_pretrained(tmp_path)
    loaded = AudioLanguagePolicy.from_pretrained(
        str(tmp_path), load, max_ids=4, local_files_only=True
    )
    assert loaded.end_id == END
    torch.testing.assert_close(
        loaded.token_logps(ASKED, ANSWERS)[0], policy.token_logps(ASKED, ANSWERS)[0]
    )
