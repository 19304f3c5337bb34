import math
import sys

import numpy as np
import pytest
import torch
import transformers

from auralign.data.examples import TokenPair
from auralign.errors import ConfigError, MissingExtraError
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap
from auralign.policies.lora import AdapterOffReference, merge_lora, with_lora
from auralign.training import TrainerSettings, train
from auralign.types import Prompt

pytestmark = pytest.mark.slow

PROMPTS = [Prompt("p0", "aab"), Prompt("p1", "b")]
CLIPS = [np.array([[0, 2, 1]]), np.array([[1]])]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_policy() -> CausalCodecPolicy:
    config = transformers.LlamaConfig(
        vocab_size=12,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config)
    tokens = TokenMap.from_offsets([6], 3, end_id=2)
    return CausalCodecPolicy(model, tokens, lambda p: [3 + ord(c) % 2 for c in p.text], 4)


def adapted(seed: int = 0) -> CausalCodecPolicy:
    return with_lora(
        make_policy(), rank=2, alpha=4, target_modules=["q_proj", "v_proj"], generator=seeded(seed)
    )


def one_step(policy: CausalCodecPolicy, lr: float = 0.5) -> None:
    optimiser = torch.optim.SGD([p for p in policy.model.parameters() if p.requires_grad], lr=lr)
    for _ in range(2):  # the first moves B away from zero, the second also A
        optimiser.zero_grad()
        policy.sft_loss(PROMPTS, CLIPS).backward()
        optimiser.step()


def test_a_new_adapter_changes_no_log_probability_and_yet_has_a_gradient():
    base, _ = make_policy().token_logps(PROMPTS, CLIPS)
    policy = adapted()
    logps, _ = policy.token_logps(PROMPTS, CLIPS)
    assert torch.equal(logps, base)
    policy.sft_loss(PROMPTS, CLIPS).backward()
    moving = [p.grad.abs().sum() for n, p in policy.model.named_parameters() if "lora_B" in n]
    assert len(moving) == 4
    assert all(g > 0 for g in moving)


def test_only_the_adapter_is_trained():
    policy = adapted()
    trained = {n for n, p in policy.model.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 2 * 2  # A and B of two layers in two blocks
    assert all("lora_" in name for name in trained)
    n_trained = sum(p.numel() for p in policy.model.parameters() if p.requires_grad)
    assert n_trained == 4 * (2 * 16 + 16 * 2)


def test_the_update_is_b_times_a_scaled_by_alpha_over_rank():
    policy = adapted()
    one_step(policy)
    layer = policy.model.get_base_model().model.layers[0].self_attn.q_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    x = torch.randn(5, 16, generator=seeded())
    expected = x @ (layer.base_layer.weight + 4 / 2 * b @ a).T
    torch.testing.assert_close(layer(x), expected)


def test_with_the_adapter_off_training_leaves_the_reference_bit_identical():
    before, _ = make_policy().token_logps(PROMPTS, CLIPS)
    policy = adapted()
    reference = AdapterOffReference(policy)
    frozen = reference.weights_hash()
    policy.model.train()
    one_step(policy)
    logps, scored = reference.token_logps(PROMPTS, CLIPS)
    assert torch.equal(logps, before)
    assert not logps.requires_grad
    assert reference.weights_hash() == frozen
    np.testing.assert_allclose(
        reference.sequence_logps(PROMPTS, CLIPS), before.sum((1, 2)).detach(), rtol=1e-6
    )
    assert not torch.isclose(policy.token_logps(PROMPTS, CLIPS)[0][scored], before[scored]).any()


def test_the_reference_answers_in_evaluation_mode_and_gives_each_part_its_mode_back(monkeypatch):
    policy = adapted()
    policy.model.train()
    policy.model.get_base_model().lm_head.eval()
    modes = [module.training for module in policy.model.modules()]
    seen = []
    own = CausalCodecPolicy.token_logps

    def watch(self, *arguments):
        seen.append(any(module.training for module in self.model.modules()))
        return own(self, *arguments)

    monkeypatch.setattr(CausalCodecPolicy, "token_logps", watch)
    AdapterOffReference(policy).token_logps(PROMPTS, CLIPS)
    assert seen == [False]
    assert [module.training for module in policy.model.modules()] == modes


def test_a_frozen_copy_keeps_the_adapter_as_it_was():
    policy = adapted()
    one_step(policy)
    reference = policy.frozen_copy()
    before, _ = reference.token_logps(PROMPTS, CLIPS)
    one_step(policy)
    assert torch.equal(reference.token_logps(PROMPTS, CLIPS)[0], before)
    assert not any(module.training for module in reference.model.modules())


def test_merging_keeps_the_log_probabilities_and_leaves_a_plain_model():
    policy = adapted()
    one_step(policy)
    before, _ = policy.token_logps(PROMPTS, CLIPS)
    merged = merge_lora(policy)
    assert type(merged.model) is transformers.LlamaForCausalLM
    torch.testing.assert_close(merged.token_logps(PROMPTS, CLIPS)[0], before)


def test_the_adapter_comes_from_the_generator_and_the_global_one_is_not_touched():
    state = torch.get_rng_state()
    first, second, third = adapted(1), adapted(1), adapted(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.weights_hash() == second.weights_hash() != third.weights_hash()


def test_samples_come_from_the_adapted_model():
    policy = adapted()
    one_step(policy)
    rollout = policy.sample(PROMPTS, 3, generator=seeded())
    asked = [PROMPTS[i] for i in rollout.prompt_index]
    np.testing.assert_allclose(rollout.logp, policy.sequence_logps(asked, rollout.tokens))


def test_the_dpo_loop_starts_at_ln_2_and_moves_the_adapter_alone():
    policy = adapted()
    reference = policy.frozen_copy()
    below = AdapterOffReference(policy).weights_hash()
    log = []
    settings = TrainerSettings(learning_rate=0.05, n_epochs=5, batch_size=2, options={"beta": 0.5})
    pairs = [TokenPair(prompt, CLIPS[0], CLIPS[1]) for prompt in PROMPTS]
    train(policy, reference, pairs, settings, log=lambda _, measured: log.append(measured))
    losses = [measured["loss"] for measured in log if "loss" in measured]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-6)
    assert losses[-1] < losses[0] - 0.05
    assert AdapterOffReference(policy).weights_hash() == below


def test_a_second_adapter_is_an_error():
    with pytest.raises(ConfigError, match="expected a model without an adapter"):
        with_lora(adapted(), rank=2, alpha=4, target_modules=["q_proj"], generator=seeded())


def test_layers_that_are_not_there_are_an_error():
    with pytest.raises(ConfigError, match=r"names of linear layers .* got \['query'\]"):
        with_lora(make_policy(), rank=2, alpha=4, target_modules=["query"], generator=seeded())


def test_a_policy_without_an_adapter_has_none_to_switch_off():
    with pytest.raises(ConfigError, match="expected a policy with an adapter"):
        AdapterOffReference(make_policy())


def test_without_peft_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"auralign\[hub\]"):
        adapted()
