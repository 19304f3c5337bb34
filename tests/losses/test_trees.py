import math

import pytest
import torch
from torch.testing import assert_close

from auralign.losses.batch import Clips, Lists
from auralign.losses.listwise import lambda_rank
from auralign.losses.trees import tree_tpo


def double(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def at_angle(cosine: float) -> tuple[float, float]:
    return cosine, math.sqrt(1 - cosine**2)


def two_leaves(best: torch.Tensor, other: torch.Tensor, cosines: tuple[float, float]) -> Lists:
    """One codebook; log-ratios `[time]` of both leaves, two frames a step, all steps alike in the
    best leaf and at these cosines to it in the other."""
    ratios = torch.stack([best, other])[:, None]
    reference = torch.full_like(ratios, -2.0)
    scored = torch.ones_like(ratios, dtype=torch.bool)
    clips = Clips(
        (ratios + reference).sum((-2, -1)),
        scored.sum((-2, -1)),
        reference.sum((-2, -1)),
        ratios + reference,
        reference,
        scored,
    )
    embedding = double([at_angle(1), at_angle(1)], [at_angle(c) for c in cosines])
    step = torch.tensor([[0, 0, 1, 1]] * 2)
    return Lists(clips, 2, scores=double([1, 0]), step=step, step_embedding=embedding)


def test_steps_weigh_by_how_close_they_are_to_those_of_the_best_leaf():
    # Step log-ratios 0.3 and -0.1 at cosines 1 and 0.6: (2 * 0.3 - 1.6 * 0.1) / 3.6 = 0.122222
    best, other = double(0, 0, 0, 0), double(0.5, 0.1, -0.1, -0.1)
    loss = tree_tpo(two_leaves(best, other, (1.0, 0.6)), beta=1)
    assert loss.diagnostics["worst_reward"].item() == pytest.approx(0.122222, abs=1e-6)
    assert_close(loss.values, lambda_rank(double([0, 0.44 / 3.6]), double([1, 0])))


def test_a_step_far_from_the_best_leafs_counts_nothing():
    # Cosine -1: weight 0
    other = double(0.5, 0.1, -9, -9)
    loss = tree_tpo(two_leaves(torch.zeros(4, dtype=torch.float64), other, (1.0, -1.0)), beta=1)
    assert loss.diagnostics["worst_reward"].item() == pytest.approx(0.3)


def test_padding_and_whatever_stands_there_change_nothing():
    best, other = double(0.2, 0.1, -0.3, 0.4), double(0.5, 0.1, -0.1, -0.1)
    plain = two_leaves(best, other, (1.0, 0.6))

    def padded(of: torch.Tensor, value: float) -> torch.Tensor:
        return torch.cat([of, torch.full((*of.shape[:-1], 3), value, dtype=of.dtype)], -1)

    clips = Clips(
        plain.clips.logp,
        plain.clips.n_codes,
        plain.clips.reference_logp,
        padded(plain.clips.token_logps, math.nan).requires_grad_(),
        padded(plain.clips.reference_tokens, -math.inf),
        torch.cat([plain.clips.scored, torch.zeros(2, 1, 3, dtype=torch.bool)], -1),
    )
    step = torch.cat([plain.step, torch.ones(2, 3, dtype=torch.int64)], -1)
    batch = Lists(clips, 2, plain.scores, step=step, step_embedding=plain.step_embedding)
    values = tree_tpo(batch).values
    assert_close(values, tree_tpo(plain).values)
    values.sum().backward()
    assert (clips.token_logps.grad[..., 4:] == 0).all()
    assert clips.token_logps.grad.isfinite().all()


def test_embeddings_of_steps_get_no_gradient():
    batch = two_leaves(double(0.2, 0.1, -0.3, 0.4), double(0.5, 0.1, -0.1, -0.1), (1.0, 0.6))
    batch.step_embedding.requires_grad_()
    assert not tree_tpo(batch).values.requires_grad
