import math

import pytest
import torch
from torch.testing import assert_close

from auralign.losses import mean_scored, sum_scored

UNSCORED = (math.nan, math.inf, -math.inf, 1e30)


def example(unscored: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two clips of two codebooks and three frames; the second clip has one frame."""
    logps = torch.arange(-12.0, 0.0).reshape(2, 2, 3)
    scored = torch.ones(2, 2, 3, dtype=torch.bool)
    scored[1, :, 1:] = False
    return torch.where(scored, logps, unscored), scored


def test_sum_and_mean_by_hand():
    logps, scored = example(unscored=99.0)
    assert_close(sum_scored(logps, scored), torch.tensor([-57.0, -9.0]))
    assert_close(mean_scored(logps, scored), torch.tensor([-57.0 / 6, -9.0 / 2]))


@pytest.mark.parametrize("unscored", UNSCORED)
@pytest.mark.parametrize("reduce", [sum_scored, mean_scored])
def test_what_is_not_scored_reaches_neither_the_value_nor_the_gradient(reduce, unscored):
    expected = reduce(*example())
    logps, scored = example(unscored)
    value = reduce(logps.requires_grad_(), scored)
    assert_close(value, expected)
    value.sum().backward()
    assert (logps.grad[~scored] == 0).all()
    counts = scored.sum((-2, -1)) if reduce is mean_scored else torch.ones(2)
    assert_close(logps.grad, scored / counts[:, None, None])


def test_a_mask_says_the_same_as_slicing():
    logps, scored = example(math.nan)
    assert_close(sum_scored(logps, scored)[1], logps[1, :, :1].sum())
    assert_close(mean_scored(logps, scored)[1], logps[1, :, :1].mean())


def test_padding_changes_neither_sum_nor_mean():
    logps, scored = example()
    wider = torch.nn.functional.pad(logps, (0, 4), value=-5.0)
    mask = torch.nn.functional.pad(scored, (0, 4), value=False)
    assert_close(sum_scored(wider, mask), sum_scored(logps, scored))
    assert_close(mean_scored(wider, mask), mean_scored(logps, scored))
