"""Clips of a mixture of two policies, counted against the probabilities of all clips."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
import transformers
from scipy.stats import chi2

from auralign.errors import ConfigError
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap
from auralign.policies.mixture import mixture_sampler
from auralign.types import Prompt

pytestmark = pytest.mark.slow

N = 1000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixed_probabilities(policy, reference, weight, prompt, clips) -> np.ndarray:
    """p^(1 - b) p_reference^b of each code, divided by its sum over codes; product over codes."""
    asked = [prompt] * len(clips)
    (own, drawn, scored), (others, *_) = (x.logits(asked, clips) for x in (policy, reference))
    p, q = (x.double().softmax(-1) for x in (own, others))
    mixed = p ** (1 - weight) * q**weight
    codes = (mixed / mixed.sum(-1, keepdim=True)).gather(-1, drawn[..., None])[..., 0]
    return torch.where(scored, codes, 1.0).prod(-1).prod(-1).detach().numpy()


def require_drawn_as_often(drawn, clips, expected) -> None:
    """Chi-square at 0.001 over the clips that are not too rare for it."""
    counts = Counter(clip.tobytes() for clip in drawn)
    observed = np.array([counts[clip.tobytes()] for clip in clips])
    assert observed.sum() == len(drawn)
    wanted = len(drawn) * expected
    often = wanted > 5
    assert often.sum() > 5
    statistic = ((observed - wanted) ** 2 / wanted)[often].sum()
    assert statistic < chi2.ppf(0.999, often.sum())


@pytest.mark.parametrize("weight", [0.25, 0.7])
def test_clips_are_drawn_with_the_probability_of_the_mixture(
    make_policy, every_clip, prompts, weight
):
    policy = make_policy(codebook_size=2, max_frames=2, seed=1)
    reference = make_policy(codebook_size=2, max_frames=2, seed=2).frozen_copy()
    clips = every_clip(policy)
    drawn = mixture_sampler(policy, reference, weight)(
        [p for p in prompts for _ in range(N)], seeded()
    )
    for i, prompt in enumerate(prompts):
        expected = mixed_probabilities(policy, reference, weight, prompt, clips)
        assert expected.sum() == pytest.approx(1, abs=1e-6)
        require_drawn_as_often(drawn[i * N : (i + 1) * N], clips, expected)


def causal_policy(seed: int) -> CausalCodecPolicy:
    """Two codebooks of two codes; prompts are read as one or two ids."""
    config = transformers.LlamaConfig(
        vocab_size=10,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.LlamaForCausalLM(config)
    tokens = TokenMap.from_offsets([5, 8], 2, end_id=2)
    return CausalCodecPolicy(model, tokens, two_ids, 2, "codes")


def two_ids(prompt: Prompt) -> list[int]:
    return [3, 4] if prompt.condition == "ann" else [4]


def test_causal_models_mix_with_a_cache_each(prompts):
    policy, reference = causal_policy(1), causal_policy(2).frozen_copy()
    frames = list(product(range(2), repeat=2))
    clips = [np.array(c).T for n in (1, 2) for c in product(frames, repeat=n)]
    drawn = mixture_sampler(policy, reference, 0.4)(
        [p for p in prompts for _ in range(N)], seeded()
    )
    for i, prompt in enumerate(prompts):
        expected = mixed_probabilities(policy, reference, 0.4, prompt, clips)
        assert expected.sum() == pytest.approx(1, abs=1e-6)
        require_drawn_as_often(drawn[i * N : (i + 1) * N], clips, expected)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_at_the_ends_the_mixture_is_one_of_the_two(make_policy, prompts, weight):
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    mixed = mixture_sampler(policy, reference, weight)(prompts, seeded())
    alone = (reference if weight else policy).sample(prompts, 1, generator=seeded()).tokens
    assert all(np.array_equal(a, b) for a, b in zip(mixed, alone, strict=True))


def test_the_mixture_follows_the_policy_as_it_is_trained(make_policy, prompts):
    policy, other = make_policy(seed=1), make_policy(seed=3)
    sample = mixture_sampler(policy, make_policy(seed=2).frozen_copy(), 0.25)
    policy.model.load_state_dict(other.model.state_dict())
    expected = mixture_sampler(other, make_policy(seed=2).frozen_copy(), 0.25)(prompts, seeded())
    assert all(map(np.array_equal, sample(prompts, seeded()), expected))


def test_a_low_temperature_draws_the_likeliest_code_of_the_mixture(make_policy, prompts):
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    cold = mixture_sampler(policy, reference, 0.5, temperature=1e-4)
    assert all(map(np.array_equal, cold(prompts, seeded(0)), cold(prompts, seeded(1))))


def test_what_cannot_be_mixed_is_refused_in_a_sentence(make_policy):
    policy = make_policy()
    with pytest.raises(ConfigError, match="weight of the reference of 0 to 1, got 2"):
        mixture_sampler(policy, policy.frozen_copy(), 2)
    with pytest.raises(ConfigError, match="got CodecLanguageModel and CausalCodecPolicy"):
        mixture_sampler(policy, causal_policy(1), 0.5)
    with pytest.raises(ConfigError, match="write the same codes, got different ones"):
        mixture_sampler(policy, make_policy(max_frames=5).frozen_copy(), 0.5)
