import math

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.training.zeroth_order import (
    improves,
    noisy_pairs,
    sparse_unit,
    zeroth_order_step,
)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_oracle_wants_chosen_up_and_rejected_down():
    before = double(-20), double(-21)
    assert improves(*before, double(-19.8), double(-21.3))
    # Both fall: no improvement, although the margin has grown.
    assert not improves(*before, double(-20.1), double(-22.0))
    assert not improves(*before, *before)
    several = double(-20, -20), double(-21, -21), double(-20.1, -19.8), double(-22.0, -21.3)
    assert improves(*several)


def test_noisy_pairs_lie_in_the_band_of_the_paper_or_of_the_code():
    margin = double(-4, -3, -0.5, 0.5, 3, 4)
    assert noisy_pairs(margin).tolist() == [False, True, True, True, True, False]
    assert noisy_pairs(margin, signed=True).tolist() == [False, False, False, True, False, False]


def test_the_direction_by_hand():
    # z1 = (1, 0) better, z2 = (0, 2) worse: towards z1 and away from z2
    assert_close(sparse_unit(double(1, -2), 0), double(0.447214, -0.894427), atol=1e-6, rtol=0)
    assert_close(sparse_unit(double(1, -2), 0.5), double(0, -2 / math.sqrt(5)))
    assert (sparse_unit(double(0, 0), 0.1) == 0).all()


def test_steps_climb_to_where_chosen_is_likely_and_rejected_is_not():
    # Logits of three codes; chosen is code 0, rejected code 1.
    weights = torch.zeros(3, dtype=torch.float64)
    for _ in range(20):
        before = weights.log_softmax(0)

        def better(tried: torch.Tensor, before: torch.Tensor = before) -> bool:
            after = tried.log_softmax(0)
            return improves(before[:1], before[1:2], after[:1], after[1:2])

        weights, share = zeroth_order_step(
            weights, better, generator=generator(), step_size=0.5, n_directions=40
        )
        assert 0.2 <= share <= 0.7
    logp = weights.log_softmax(0)
    assert logp[0] > -math.log(3) > logp[1]


def test_too_few_better_directions_mean_no_step():
    weights = torch.zeros(3)
    step = zeroth_order_step(
        weights, lambda _: False, generator=generator(), step_size=1.0, n_directions=10
    )
    assert torch.equal(step.weights, weights)
    assert step.success_share == 0


def test_the_length_of_a_step_is_the_step_size_times_the_share_of_better_directions():
    step = zeroth_order_step(
        torch.zeros(4, dtype=torch.float64),
        lambda tried: bool(tried[0] > 0),
        generator=generator(),
        step_size=2.0,
        n_directions=50,
        threshold=0.0,
    )
    assert step.weights.norm().item() == pytest.approx(2.0 * step.success_share)
    assert step.weights[0] > 0


def test_a_step_tries_at_least_one_direction():
    with pytest.raises(ConfigError, match="at least 1 direction"):
        zeroth_order_step(
            torch.zeros(2), lambda _: True, generator=generator(), step_size=1, n_directions=0
        )
