"""The shared part of the adapters, on a model whose logits are a table."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from auralign.errors import ConfigError
from auralign.policies.layouts import pad_clips
from auralign.policies.model_policy import ModelPolicy, draw
from auralign.types import Prompt, TokenPolicy

PROMPT = Prompt("p", "one")


class Table(nn.Module):
    """Logits `[codebook, size]`, the same at every time."""

    def __init__(self, rows: list[list[float]], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows, dtype=dtype))
        self.dropout = nn.Dropout(0.5)


@dataclass(frozen=True, eq=False)
class TablePolicy(ModelPolicy):
    n_frames: int = 2

    def logits(self, prompts, tokens):
        codes, scored = pad_clips(tokens)
        rows = self.model.dropout(self.model.rows)[None, :, None]
        logits = rows.expand(*codes.shape, -1).clone()
        logits[~scored] = torch.nan
        return logits, codes, scored

    def sample_clips(self, prompts, temperature, generator):
        drawn = [
            torch.stack([draw(self.model.rows, temperature, generator) for _ in range(2)], dim=1)
            for _ in prompts
        ]
        return [clip.numpy() for clip in drawn], np.ones(len(prompts), dtype=bool)


def table(dtype: torch.dtype = torch.float32) -> TablePolicy:
    return TablePolicy(Table([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]], dtype))


CLIPS = [np.array([[0, 2], [1, 1]]), np.array([[1], [0]])]


def test_it_is_a_token_policy():
    assert isinstance(table(), TokenPolicy)


def test_log_probabilities_are_those_of_the_table():
    logps, scored = table().token_logps([PROMPT] * 2, CLIPS)
    book = torch.log_softmax(torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]]), dim=-1)
    expected = [[book[0, 0], book[0, 2]], [book[1, 1], book[1, 1]]]
    torch.testing.assert_close(logps[0], torch.tensor(expected))
    assert logps[1].tolist() == [[book[0, 1].item(), 0.0], [book[1, 0].item(), 0.0]]
    assert scored[1].tolist() == [[True, False], [True, False]]


def test_nan_at_a_place_that_is_not_scored_reaches_neither_value_nor_gradient():
    policy = table()
    loss = policy.sft_loss([PROMPT] * 2, CLIPS)
    loss.backward()
    assert loss.isfinite()
    assert policy.model.rows.grad.isfinite().all()
    assert policy.model.rows.grad.abs().sum() > 0


def test_the_sft_loss_is_the_mean_over_scored_codes_not_over_clips():
    policy = table()
    logps = policy.sequence_logps([PROMPT] * 2, CLIPS)
    assert policy.sft_loss([PROMPT] * 2, CLIPS).item() == pytest.approx(-logps.sum() / 6)


def test_the_softmax_of_16_bit_logits_is_computed_in_32_bits():
    logps, _ = table(torch.bfloat16).token_logps([PROMPT] * 2, CLIPS)
    exact, _ = table().token_logps([PROMPT] * 2, CLIPS)
    assert logps.dtype == torch.float32
    torch.testing.assert_close(logps, exact, rtol=0, atol=1e-6)


def test_dropout_is_off_even_in_training_mode():
    policy = table()
    policy.model.train()
    first, _ = policy.token_logps([PROMPT], CLIPS[:1])
    second, _ = policy.token_logps([PROMPT], CLIPS[:1])
    assert torch.equal(first, second)


def test_entropy_is_that_of_the_table():
    p = torch.softmax(torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]]), dim=-1)
    expected = -(p * p.log()).sum(-1).mean().item()
    assert table().token_entropy([PROMPT] * 2, CLIPS) == pytest.approx(expected)


def test_a_frozen_copy_stays_what_it_was_and_the_hash_tells():
    policy = table()
    reference = policy.frozen_copy()
    assert not reference.model.training
    assert not any(p.requires_grad for p in reference.model.parameters())
    before = reference.weights_hash()
    assert before == policy.weights_hash()
    with torch.no_grad():
        policy.model.rows += 1e-3
    assert reference.weights_hash() == before != policy.weights_hash()


def test_draws_follow_the_temperature():
    logits = torch.tensor([[0.0, 1.0]]).expand(4000, 2)
    for temperature in (0.5, 2.0):
        drawn = draw(logits, temperature, torch.Generator().manual_seed(0)).float().mean()
        expected = torch.sigmoid(torch.tensor(1 / temperature))
        assert abs(drawn - expected) < 4 * (expected * (1 - expected) / 4000).sqrt()


def test_a_temperature_of_zero_is_an_error():
    with pytest.raises(ConfigError, match="temperature must be above 0, got 0"):
        table().sample([PROMPT], 1, generator=torch.Generator(), temperature=0)
