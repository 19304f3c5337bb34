import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses.cross_prompt import dove, rpo_contrast, rpo_contrast_uniform
from auralign.losses.pairwise import dpo

WINNERS, LOSERS = (1.0, 0.5), (-1.0, 0.2)
UNRELATED = torch.eye(2, dtype=torch.float64)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def with_conditions(batch, chosen: float, rejected: float):
    """The batch with log-ratios of the conditions."""
    return replace(
        batch,
        **{
            side: replace(
                getattr(batch, side),
                condition_logp=double(rho),
                reference_condition_logp=double(0.0),
            )
            for side, rho in (("chosen", chosen), ("rejected", rejected))
        },
    )


def test_prompt_and_clip_are_preferred_together_at_the_published_numbers(pairs):
    batch = with_conditions(pairs(1.0, -0.5), 0.3, -0.2)
    assert dove(batch).values.item() == pytest.approx(0.598139, abs=1e-6)
    assert dpo(batch).values.item() == pytest.approx(0.620957, abs=1e-6)


@pytest.mark.parametrize("prompt", [-3.0, 0.0, 8.0])
def test_with_one_prompt_for_both_clips_the_joint_preference_is_dpo(pairs, prompt):
    batch = with_conditions(pairs(1.0, -0.5), prompt, prompt)
    assert_close(dove(batch).values, dpo(batch).values)


def test_contrasts_across_unrelated_prompts_at_the_published_numbers(pairs):
    values = rpo_contrast(pairs(WINNERS, LOSERS, prompt_embedding=UNRELATED)).values
    assert values.tolist() == pytest.approx([0.648666, 0.682135], abs=1e-6)
    assert values.mean().item() == pytest.approx(0.665400, abs=1e-6)


def test_equal_prompts_share_beta_between_them(pairs):
    same = torch.ones(2, 3, dtype=torch.float64)
    got = rpo_contrast(pairs(WINNERS, LOSERS, prompt_embedding=same), beta=0.2).values
    z = double(*WINNERS)[:, None] - double(*LOSERS)[None]
    assert_close(got, torch.log1p(torch.exp(-0.1 * z)).mean(1))


def test_contrasts_without_embeddings_at_the_published_numbers(pairs):
    values = rpo_contrast_uniform(pairs(WINNERS, LOSERS)).values
    assert values.tolist() == pytest.approx([0.609300, 0.666799], abs=1e-6)


def test_at_a_low_temperature_only_the_own_pair_is_left(pairs):
    batch = pairs(WINNERS, LOSERS, prompt_embedding=UNRELATED)
    own = dpo(batch).values
    got = rpo_contrast(batch, temperature=1e-3).values
    assert_close(got, (own + math.log(2)) / 2)  # the other contrast has weight 0: log 2


def test_the_own_pair_cannot_have_all_the_weight(pairs):
    with pytest.raises(ConfigError, match=r"own in \[0, 1\)"):
        rpo_contrast_uniform(pairs(WINNERS, LOSERS), own=1.0)
