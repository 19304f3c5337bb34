"""Policies that go on with a prefix draw what their own log-probabilities say."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
import transformers
from scipy.stats import chisquare

from auralign.errors import DataError
from auralign.policies import (
    CodecLanguageModel,
    PromptVocabulary,
    TransformerConfig,
    new_transformer,
)
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap
from auralign.policies.model_policy import ModelPolicy
from auralign.test_time import plan, refine
from auralign.types import Prompt

pytestmark = pytest.mark.slow

PROMPTS = [Prompt("p0", "one two"), Prompt("p1", "two")]
N_BOOKS, SIZE, LONGEST = 2, 2, 3


def built_in() -> CodecLanguageModel:
    vocabulary = PromptVocabulary(words=("one", "two"), conditions=("",), max_words=2)
    config = TransformerConfig(
        n_prompt_tokens=vocabulary.size,
        prompt_length=vocabulary.length,
        n_codebooks=N_BOOKS,
        codebook_size=SIZE,
        max_frames=LONGEST,
        width=16,
        depth=2,
        n_heads=2,
    )
    return CodecLanguageModel(new_transformer(config, torch.Generator().manual_seed(0)), vocabulary)


def causal_lm() -> CausalCodecPolicy:
    """Its prompts have different lengths, so that they are padded."""
    config = transformers.LlamaConfig(
        vocab_size=12,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config)
    tokens = TokenMap.from_offsets([6, 9], SIZE, end_id=2)
    return CausalCodecPolicy(
        model, tokens, lambda p: [3 + len(w) % 2 for w in p.text.split()], LONGEST, "codes"
    )


@pytest.fixture(params=[built_in, causal_lm])
def policy(request) -> ModelPolicy:
    return request.param()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def every_clip() -> list[np.ndarray]:
    frames = list(product(range(SIZE), repeat=N_BOOKS))
    return [np.array(clip).T for n in range(1, LONGEST + 1) for clip in product(frames, repeat=n)]


def begins_with(clip: np.ndarray, prefix: np.ndarray) -> bool:
    return np.array_equal(clip[:, : prefix.shape[1]], prefix)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: p.id)
def test_clips_come_as_often_as_their_probability_given_the_prefix(policy, prompt):
    prefix = np.array([[1], [0]])
    clips = [clip for clip in every_clip() if begins_with(clip, prefix)]
    with torch.no_grad():
        law = np.exp(policy.sequence_logps([prompt] * len(clips), clips))
    n = 4000
    drawn, ended = policy.continue_from([prompt] * n, np.stack([prefix] * n), 1.0, seeded())
    counts = Counter(clip.tobytes() for clip in drawn)
    expected = n * law / law.sum()
    assert chisquare([counts[clip.tobytes()] for clip in clips], expected).pvalue > 1e-3
    assert all(e == (clip.shape[1] < LONGEST) for clip, e in zip(drawn, ended, strict=True))


def test_from_nothing_it_goes_on_as_it_samples(policy):
    nothing = np.zeros((2, N_BOOKS, 0), dtype=np.int64)
    with torch.no_grad():
        sampled, ended = policy.sample_clips(PROMPTS, 1.0, seeded())
    fresh, fresh_ended = policy.continue_from(PROMPTS, nothing, 1.0, seeded())
    assert [clip.tolist() for clip in fresh] == [clip.tolist() for clip in sampled]
    assert fresh_ended.tolist() == ended.tolist()


def test_every_clip_begins_with_its_own_prefix(policy):
    prefixes = np.array([[[0, 1], [1, 1]], [[1, 1], [0, 0]]])
    clips, _ = policy.continue_from(PROMPTS, prefixes, 1.0, seeded())
    assert all(begins_with(c, p) for c, p in zip(clips, prefixes, strict=True))


def test_a_prefix_as_long_as_a_clip_can_be_comes_back(policy):
    prefixes = np.ones((2, N_BOOKS, LONGEST), dtype=np.int64)
    clips, ended = policy.continue_from(PROMPTS, prefixes, 1.0, seeded())
    np.testing.assert_array_equal(np.stack(clips), prefixes)
    assert not ended.any()


def test_what_is_likeliest_does_not_depend_on_the_batch_mates(policy):
    prefixes = np.array([[[0], [1]], [[1], [0]]])
    together, _ = policy.continue_from(PROMPTS, prefixes, 1e-4, seeded())
    for i, prompt in enumerate(PROMPTS):
        (alone,), _ = policy.continue_from([prompt], prefixes[i : i + 1], 1e-4, seeded(1))
        np.testing.assert_array_equal(alone, together[i])


def test_codes_of_another_codec_are_refused(policy):
    with pytest.raises(DataError, match="expected codes from 0 to 1, got 0 to 7"):
        policy.continue_from(PROMPTS, np.array([[[7], [0]]] * 2), 1.0, seeded())


def ones(prompts, tokens):
    return np.array([float(clip.sum()) for clip in tokens])


def test_a_plan_and_its_refinement_end_with_clips_that_the_policy_can_make(policy):
    planned = plan(policy, PROMPTS, ones, generator=seeded(), segment=1, look_aheads=3)
    refined = refine(
        policy,
        PROMPTS,
        planned,
        lambda p, a, b: (1 + np.sign(ones(p, a) - ones(p, b))) / 2,
        n_rounds=5,
        rng=np.random.default_rng(0),
        generator=seeded(1),
    )
    known = {clip.tobytes() for clip in every_clip()}
    assert all(clip.tobytes() in known for clip in refined.candidates.tokens)
    assert (ones(PROMPTS, refined.clips) >= ones(PROMPTS, planned.clips)).all()
