import numpy as np
import pytest
import torch
import transformers
from torch.testing import assert_close

from auralign.policies.autoregression import PromptBlock, response_states
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap
from auralign.policies.packing import packed_states
from auralign.policies.projection import projected_logps
from auralign.types import Prompt

pytestmark = pytest.mark.slow

SIZES = {
    "vocab_size": 16,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
PACKING = {
    "llama": transformers.LlamaConfig(**SIZES, tie_word_embeddings=True),
    "qwen2": transformers.Qwen2Config(**SIZES),
    "qwen3": transformers.Qwen3Config(**SIZES, head_dim=8),
}
NOT_PACKING = {
    "mistral, a window": transformers.MistralConfig(**SIZES, sliding_window=3),
    "gemma2, capped and a window": transformers.Gemma2Config(**SIZES, head_dim=8),
    "granite, scaled logits": transformers.GraniteConfig(**SIZES, logits_scaling=2.0),
    "lfm2, convolutions": transformers.Lfm2Config(**SIZES, layer_types=["conv", "full_attention"]),
}
PROMPTS = [Prompt("p0", "aab"), Prompt("p1", "b"), Prompt("p0", "aab"), Prompt("p1", "b")]
CLIPS = [np.array([[0, 2, 1, 3]]), np.array([[1]]), np.array([[3, 3]]), np.array([[2, 0, 1]])]


def policy_of(config) -> CausalCodecPolicy:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    codes = TokenMap.from_offsets([4], codebook_size=4, end_id=3)
    return CausalCodecPolicy(model, codes, lambda p: [10 + ord(c) - 97 for c in p.text], 6)


@pytest.fixture(autouse=True)
def _own_random_numbers():
    with torch.random.fork_rng():
        yield


def by_the_whole_table(policy):
    """Log-probabilities by the model's own logits, padded, clip by clip."""
    rows = []
    for prompt, clip in zip(PROMPTS, CLIPS, strict=True):
        logits, drawn, scored = policy.logits([prompt], [clip])
        picked = logits.log_softmax(-1).gather(-1, drawn[..., None])[..., 0]
        rows.append(torch.where(scored, picked, 0.0).sum())
    return torch.stack(rows)


@pytest.mark.parametrize("name", PACKING)
def test_packed_clips_have_the_log_probabilities_and_gradients_that_they_have_alone(name):
    policy = policy_of(PACKING[name])
    assert policy.packs
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])
    wanted = by_the_whole_table(policy)
    policy.model.zero_grad()
    (weights * wanted).sum().backward()
    gradients = {n: p.grad.clone() for n, p in policy.model.named_parameters()}
    policy.model.zero_grad()
    found = policy.token_logps(PROMPTS, CLIPS)[0].sum((1, 2))
    (weights * found).sum().backward()
    assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    for n, p in policy.model.named_parameters():
        assert_close(p.grad, gradients[n], atol=1e-5, rtol=1e-4)
    assert policy.model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", NOT_PACKING)
def test_a_model_of_another_kind_is_scored_with_padding_and_rightly(name):
    policy = policy_of(NOT_PACKING[name])
    assert not policy.packs
    found = policy.token_logps(PROMPTS, CLIPS)[0].sum((1, 2))
    assert_close(found, by_the_whole_table(policy), atol=1e-5, rtol=1e-5)


def test_a_prompt_stands_in_the_row_once():
    policy = policy_of(PACKING["llama"])
    decoder = policy.model.get_decoder()
    seen = []
    decoder.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    responses = [torch.tensor([4, 5, 6]), torch.tensor([7]), torch.tensor([5, 5])]
    packed = packed_states(decoder, [[10, 11], [12], [10, 11]], responses)
    assert seen == [(1, 2 + 2 + 1 + 1 + 0)]
    for prompt, response, states in zip([[10, 11], [12], [10, 11]], responses, packed, strict=True):
        block = PromptBlock.of([prompt], torch.device("cpu"))
        alone = response_states(decoder, block, response[None])[0]
        assert_close(states, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("chunk", [1, 25, 1000])
def test_projected_log_probabilities_are_those_of_the_whole_table(chunk):
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (
        torch.randn(n, 5, generator=generator, dtype=torch.float64, requires_grad=True)
        for n in (7, 11)
    )
    drawn = torch.randint(11, (7,), generator=generator)
    slopes = torch.randn(7, generator=generator, dtype=torch.float64)
    wanted = (hidden @ weight.T).log_softmax(-1).gather(-1, drawn[:, None])[:, 0]
    gradients = torch.autograd.grad((slopes * wanted).sum(), (hidden, weight))
    found = projected_logps(hidden, weight, drawn, chunk=chunk)
    assert_close(found, wanted)
    assert_close(torch.autograd.grad((slopes * found).sum(), (hidden, weight)), gradients)


def test_projected_log_probabilities_of_half_precision_are_summed_in_single():
    hidden = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert projected_logps(hidden, hidden, torch.arange(3)).dtype is torch.float32
