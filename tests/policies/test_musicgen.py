"""A tiny MusicGen with random weights."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from scipy.stats import chi2

from auralign.errors import DataError
from auralign.policies.layouts import to_delay
from auralign.policies.musicgen import MusicgenPolicy
from auralign.types import Prompt, TokenPolicy, Tokens
from pretended_device import require_same_elsewhere

pytestmark = pytest.mark.slow

PROMPTS = [Prompt("p0", "a loud drum"), Prompt("p1", "flute")]


def make_policy(
    *, n_codebooks: int = 3, codebook_size: int = 5, n_frames: int = 4, channels: int = 1
) -> MusicgenPolicy:
    config = transformers.MusicgenConfig(
        text_encoder=transformers.T5Config(
            vocab_size=6, d_model=12, d_kv=6, d_ff=12, num_layers=1, num_heads=2, dropout_rate=0.3
        ),
        audio_encoder=transformers.EncodecConfig(
            hidden_size=4, num_filters=2, upsampling_ratios=[2], codebook_size=8, sampling_rate=100
        ),
        decoder=transformers.MusicgenDecoderConfig(
            vocab_size=codebook_size,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            ffn_dim=16,
            num_codebooks=n_codebooks,
            audio_channels=channels,
            pad_token_id=codebook_size,
            bos_token_id=codebook_size,
            initializer_factor=0.4,
            dropout=0.3,
        ),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.MusicgenForConditionalGeneration(config)
    return MusicgenPolicy(model, tokenizer(), n_frames)


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = ["<pad>", "<unk>", "a", "loud", "drum", "flute"]
    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>")


def random_clips(policy: MusicgenPolicy, *lengths: int) -> list[Tokens]:
    rng, size = np.random.default_rng(1), policy.model.config.decoder.vocab_size
    return [rng.integers(size, size=(policy.n_codebooks, n)) for n in lengths]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def one_step_at_a_time(policy: MusicgenPolicy, prompt: Prompt, clip: Tokens) -> np.ndarray:
    """Log-probabilities `[codebook, time]`: at each step every codebook reads what stood before.

    At step s, codebook k writes its code of frame s - delay; pad stands where there is none.
    """
    books, n = clip.shape
    pad = policy.model.config.decoder.pad_token_id
    text = policy.tokenizer([prompt.text], return_tensors="pt")
    history, logps = [[pad] for _ in range(books)], np.full(clip.shape, np.nan)
    for step in range(n + max(policy.delays)):
        out = policy.model(
            input_ids=text["input_ids"],
            attention_mask=text["attention_mask"],
            decoder_input_ids=torch.tensor(history),
        )
        for k in range(books):
            t = step - policy.delays[k]
            if 0 <= t < n:
                logps[k, t] = torch.log_softmax(out.logits[k, -1], -1)[clip[k, t]]
            history[k].append(int(clip[k, t]) if 0 <= t < n else pad)
    return logps


@pytest.mark.parametrize(("n_codebooks", "channels"), [(3, 1), (4, 2), (1, 1)])
def test_log_probabilities_equal_writing_one_step_at_a_time(n_codebooks, channels):
    policy = make_policy(n_codebooks=n_codebooks, channels=channels)
    assert isinstance(policy, TokenPolicy)
    clips = random_clips(policy, 5, 2)
    logps, scored = policy.token_logps(PROMPTS, clips)
    assert logps.shape == (2, n_codebooks, 5)
    for prompt, clip, row, mask in zip(PROMPTS, clips, logps, scored, strict=True):
        n = clip.shape[1]
        slow = one_step_at_a_time(policy, prompt, clip)
        np.testing.assert_allclose(row[:, :n].detach(), slow, rtol=2e-5, atol=1e-5)
        assert mask[:, :n].all()
        assert not mask[:, n:].any()
        assert not row[:, n:].any()


def test_the_sft_loss_is_the_models_own_loss_on_delayed_labels():
    policy = make_policy()
    clips = random_clips(policy, 6, 6)
    text = policy.tokenizer([p.text for p in PROMPTS], padding=True, return_tensors="pt")
    # Its labels are [batch, time, codebook]; it leaves out the places that hold its pad id.
    delayed = to_delay(torch.from_numpy(np.stack(clips)), policy.delays, fill=5)
    policy.model.config.decoder.decoder_start_token_id = 5
    own = policy.model(
        input_ids=text["input_ids"],
        attention_mask=text["attention_mask"],
        labels=delayed.transpose(1, 2),
    ).loss
    torch.testing.assert_close(policy.sft_loss(PROMPTS, clips), own)


@pytest.mark.parametrize(("n_codebooks", "channels"), [(3, 1), (4, 2)])
def test_the_delay_is_the_pattern_that_the_model_generates_with(n_codebooks, channels):
    policy = make_policy(n_codebooks=n_codebooks, channels=channels)
    clip = torch.from_numpy(random_clips(policy, 6)[0])
    longest = max(policy.delays)
    start = torch.full((n_codebooks, 1), 5)
    _, own = policy.model.decoder.build_delay_pattern_mask(
        torch.cat([start, clip], dim=1), pad_token_id=5, max_length=6 + longest + 1
    )
    ours = to_delay(clip[None], policy.delays, fill=5)[0]
    assert torch.equal(own, torch.cat([start, ours], dim=1))


def test_text_padding_and_batch_mates_change_nothing():
    policy = make_policy()
    clips = random_clips(policy, 5, 2)
    together, _ = policy.token_logps(PROMPTS, clips)
    for i, (prompt, clip) in enumerate(zip(PROMPTS, clips, strict=True)):
        alone, _ = policy.token_logps([prompt], [clip])
        torch.testing.assert_close(together[i, :, : clip.shape[1]], alone[0])


def test_samples_come_as_often_as_their_probabilities_say():
    policy = make_policy(n_codebooks=2, codebook_size=2, n_frames=2)
    clips = [np.array(codes).reshape(2, 2) for codes in product(range(2), repeat=4)]
    n = 1500
    rollout = policy.sample(PROMPTS, n, generator=seeded(), batch_size=n)
    for i, prompt in enumerate(PROMPTS):
        probability = np.exp(policy.sequence_logps([prompt] * len(clips), clips))
        assert probability.sum() == pytest.approx(1, abs=1e-5)
        drawn = Counter(t.tobytes() for t in rollout.tokens[i * n : (i + 1) * n])
        counts = np.array([drawn[clip.tobytes()] for clip in clips])
        assert counts.sum() == n
        statistic = ((counts - n * probability) ** 2 / (n * probability)).sum()
        assert statistic < chi2.ppf(0.999, len(clips) - 1)


def test_clips_have_the_frames_that_were_asked_for_and_their_log_probabilities():
    policy = make_policy()
    rollout = policy.sample(PROMPTS, 3, generator=seeded(), batch_size=4)
    assert {clip.shape for clip in rollout.tokens} == {(3, 4)}
    assert rollout.terminated.all()
    slow = [
        one_step_at_a_time(policy, PROMPTS[i], clip).sum()
        for i, clip in zip(rollout.prompt_index, rollout.tokens, strict=True)
    ]
    np.testing.assert_allclose(rollout.logp, slow, rtol=1e-5)


def test_training_moves_the_decoder_and_neither_the_text_encoder_nor_the_reference():
    policy = make_policy()
    policy.model.train()
    reference = policy.frozen_copy()
    clips = random_clips(policy, 5, 2)
    before = reference.token_logps(PROMPTS, clips)[0]
    optimiser = torch.optim.SGD(policy.model.parameters(), lr=0.1)
    policy.sft_loss(PROMPTS, clips).backward()
    optimiser.step()
    assert torch.equal(reference.token_logps(PROMPTS, clips)[0], before)
    moved = {name for name, p in policy.model.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in moved} == {"decoder", "enc_to_dec_proj"}


def test_training_mode_changes_nothing_because_dropout_is_off():
    policy = make_policy()
    clips = random_clips(policy, 5, 2)
    policy.model.eval()
    quiet, _ = policy.token_logps(PROMPTS, clips)
    policy.model.train()
    assert torch.equal(policy.token_logps(PROMPTS, clips)[0], quiet)


def test_codes_in_the_order_time_by_codebook_are_an_error():
    policy = make_policy()
    with pytest.raises(DataError, match=r"expected codes \[codebook, time\] of 3 codebooks"):
        policy.token_logps(PROMPTS[:1], [random_clips(policy, 5)[0].T])


def test_a_saved_model_is_loaded_as_the_policy_that_it_was(tmp_path):
    policy = make_policy()
    policy.model.save_pretrained(tmp_path)
    policy.tokenizer.save_pretrained(tmp_path)
    loaded = MusicgenPolicy.from_pretrained(str(tmp_path), n_frames=4, local_files_only=True)
    clips = random_clips(policy, 5, 2)
    torch.testing.assert_close(
        loaded.token_logps(PROMPTS, clips)[0], policy.token_logps(PROMPTS, clips)[0]
    )


def test_the_policy_scores_and_samples_on_another_device():
    require_same_elsewhere(make_policy, PROMPTS, random_clips(make_policy(), 2, 4))
