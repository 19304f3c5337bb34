"""Mistakes seen in other code bases, kept out of the policies; `docs/traps.md` tells each of them.

A test is named after the trap that it pins.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from auralign.data.examples import TokenPair
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap
from auralign.policies.layouts import from_delay, to_delay
from auralign.policies.lora import AdapterOffReference, with_lora
from auralign.policies.model_policy import pick_logps
from auralign.policies.reference import reference_key
from auralign.training import TrainerSettings, train
from auralign.types import Prompt

pytestmark = pytest.mark.slow

PROMPTS = [Prompt("p0", "aab"), Prompt("p1", "b")]
CLIPS = [np.array([[0, 2, 1]]), np.array([[1]])]
END = 2


def letters(prompt: Prompt) -> list[int]:
    return [3 + ord(letter) % 2 for letter in prompt.text]


def a_llama(encode_prompt: Callable[[Prompt], list[int]] = letters) -> CausalCodecPolicy:
    """One codebook of three codes, which are the ids from 6 on."""
    config = transformers.LlamaConfig(
        vocab_size=12,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config)
    tokens = TokenMap.from_offsets([6], 3, end_id=END)
    return CausalCodecPolicy(model, tokens, encode_prompt, max_frames=4)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_logits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of two clips of two codebooks: three frames, and one and padding."""
    logits = torch.randn(2, 2, 3, 4, generator=seeded())
    drawn = torch.randint(4, (2, 2, 3), generator=seeded())
    scored = torch.ones(2, 2, 3, dtype=torch.bool)
    scored[1, :, 1:] = False
    return logits, drawn, scored


def test_a1_masked_out_logits_reach_no_log_probability():
    logits, drawn, scored = random_logits()
    before = pick_logps(logits, drawn, scored)
    for place in (~scored).nonzero().tolist():
        other = logits.clone()
        other[tuple(place)] += torch.arange(4)
        assert torch.equal(pick_logps(other, drawn, scored), before)


def test_a1_every_scored_logit_reaches_the_log_probability_of_its_own_place_alone():
    logits, drawn, scored = random_logits()
    before = pick_logps(logits, drawn, scored)
    for place in map(tuple, scored.nonzero().tolist()):
        other = logits.clone()
        other[place] += torch.arange(4)
        changed = pick_logps(other, drawn, scored) != before
        assert changed.nonzero().tolist() == [list(place)]


def test_a4_the_only_code_of_a_clip_is_scored_after_the_last_word_of_its_prompt():
    policy = replace(a_llama(), max_frames=1)
    logps, scored = policy.token_logps(PROMPTS[1:], CLIPS[1:])
    with torch.no_grad():
        read = policy.model(input_ids=torch.tensor([letters(PROMPTS[1])])).logits[0, -1]
    by_hand = read.log_softmax(0)[6 + 1]
    assert scored.sum() == 1
    torch.testing.assert_close(logps[scored][0].detach(), by_hand)
    assert by_hand < -0.1


def test_a7_places_that_a_delay_leaves_open_may_hold_nan():
    logits, drawn, scored = random_logits()
    logits, drawn, scored = logits[:1], drawn[:1], scored[:1]
    delayed = to_delay(logits, (0, 1), fill=torch.nan)
    assert delayed.isnan().any()
    opened = torch.nn.functional.pad(scored, (0, 1)), torch.nn.functional.pad(drawn, (0, 1))
    mask, codes = (to_delay(part[..., :3], (0, 1), fill=0) for part in opened)
    delayed.requires_grad_()
    found = pick_logps(delayed, codes, mask)
    by_brute_force = sum(
        logits[0, book, t].log_softmax(0)[drawn[0, book, t]] for book in range(2) for t in range(3)
    )
    torch.testing.assert_close(found.sum(), by_brute_force)
    torch.testing.assert_close(from_delay(found, (0, 1)), pick_logps(logits, drawn, scored))
    found.sum().backward()
    assert delayed.grad.isfinite().all()


def test_a12_codes_become_ids_without_passing_through_text():
    """The tokenizer is asked about prompts and about nothing else; what was drawn is scored."""
    read = []

    def reading(prompt: Prompt) -> list[int]:
        read.append(prompt.text)
        return letters(prompt)

    policy = a_llama(reading)
    rollout = policy.sample(PROMPTS, 5, generator=seeded())
    asked = [PROMPTS[i] for i in rollout.prompt_index]
    _, ids, scored = policy.logits(asked, rollout.tokens)
    for clip, row, mask in zip(rollout.tokens, ids, scored, strict=True):
        assert row[mask].tolist()[: clip.shape[1]] == (6 + clip[0]).tolist()
    assert set(read) == {prompt.text for prompt in PROMPTS}


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_a13_a_fresh_rollout_has_ratio_one_whatever_it_was_drawn_with(temperature):
    """Log-probabilities of a rollout are those that training computes, at temperature 1."""
    policy = a_llama()
    rollout = policy.sample(PROMPTS, 8, generator=seeded(), temperature=temperature)
    asked = [PROMPTS[i] for i in rollout.prompt_index]
    now = policy.token_logps(asked, rollout.tokens)[0].double().sum((1, 2)).detach()
    np.testing.assert_allclose(np.exp(now.numpy() - rollout.logp), 1.0, rtol=1e-5)


def test_b1_with_a_new_adapter_training_starts_where_the_reference_is():
    policy = with_lora(
        a_llama(), rank=2, alpha=4, target_modules=["q_proj", "v_proj"], generator=seeded()
    )
    log = []
    pairs = [TokenPair(prompt, CLIPS[0], CLIPS[1]) for prompt in PROMPTS]
    settings = TrainerSettings(options={"beta": 5.0}, batch_size=2)
    train(policy, AdapterOffReference(policy), pairs, settings, log=lambda _, v: log.append(v))
    assert log[0]["loss"] == pytest.approx(np.log(2), abs=1e-5)
    assert log[0]["margin"] == pytest.approx(0, abs=1e-5)
    assert log[0]["gradient_norm"] > 0


@pytest.mark.parametrize(
    "changed",
    [
        {"encode_prompt": lambda prompt: [5, *letters(prompt)]},
        {"tokens": TokenMap.from_offsets([7], 3, end_id=END)},
    ],
    ids=["prompts", "codes"],
)
def test_b7_stored_numbers_are_of_one_way_to_write_prompts_and_codes(changed):
    policy = a_llama()
    other = replace(policy, **changed)
    said = [p.sequence_logps(PROMPTS, CLIPS) for p in (policy, other)]
    assert (said[0] != said[1]).all()
    assert reference_key(policy, PROMPTS, CLIPS) != reference_key(other, PROMPTS, CLIPS)


def test_b7_stored_numbers_below_an_adapter_are_of_the_layout_of_its_policy():
    policy = with_lora(a_llama(), rank=2, alpha=4, target_modules=["q_proj"], generator=seeded())
    over_codes = replace(policy, softmax_over="codes")
    references = [AdapterOffReference(p) for p in (policy, over_codes)]
    said = [r.sequence_logps(PROMPTS, CLIPS) for r in references]
    assert (said[0] != said[1]).all()
    keys = [reference_key(r, PROMPTS, CLIPS) for r in references]
    assert keys[0] != keys[1]
