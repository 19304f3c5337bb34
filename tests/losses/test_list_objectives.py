"""What holds for every objective over lists, whatever its formula."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses import listwise, soft_labels, trees
from auralign.losses.batch import Clips, Lists, Need
from auralign.losses.reduce import sum_scored

ENTRIES = listwise.ENTRIES | soft_labels.ENTRIES | trees.ENTRIES
OBJECTIVES = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
N, SIZE, STEPS = 3, 3, 2


def lists(token_logps: torch.Tensor, reference: torch.Tensor) -> Lists:
    """Everything that any objective takes; `[N * SIZE, 2, 4]`, the last frame half scored."""
    scored = torch.ones(reference.shape, dtype=torch.bool)
    scored[::2, :, -1] = False
    clips = Clips(
        sum_scored(token_logps, scored),
        scored.sum((-2, -1)),
        sum_scored(reference, scored),
        token_logps,
        reference,
        scored,
    )
    embedding = torch.randn(N * SIZE, STEPS, 5, generator=torch.Generator().manual_seed(7))
    return Lists(
        clips,
        SIZE,
        scores=torch.tensor([0.9, 0.6, 0.2], dtype=reference.dtype).repeat(N, 1),
        step=torch.tensor([0, 0, 1, 1]).repeat(N * SIZE, 1),
        step_embedding=embedding,
    )


def token_logps(seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return -torch.rand(N * SIZE, 2, 4, generator=generator, dtype=torch.float64).to(dtype)


def rows(batch: Lists, of: slice) -> Lists:
    """The lists of this slice alone."""
    clips = slice(of.start * SIZE, of.stop * SIZE)
    c = batch.clips
    sides = (c.logp, c.n_codes, c.reference_logp, c.token_logps, c.reference_tokens, c.scored)
    return Lists(
        Clips(*(side[clips] for side in sides)),
        SIZE,
        scores=batch.scores[of],
        step=batch.step[clips],
        step_embedding=batch.step_embedding[clips],
    )


@OBJECTIVES
def test_autograd_agrees_with_finite_differences(entry):
    reference = token_logps(0)

    def values(policy: torch.Tensor) -> torch.Tensor:
        return entry.function(lists(policy, reference)).values

    assert torch.autograd.gradcheck(values, token_logps(1).requires_grad_())


@OBJECTIVES
def test_a_list_has_its_own_loss_whatever_stands_beside_it(entry):
    batch = lists(token_logps(1), token_logps(0))
    together = entry.function(batch).values
    assert together.shape == (N,)
    alone = [entry.function(rows(batch, slice(i, i + 1))).values for i in range(N)]
    assert_close(torch.cat(alone), together)


@OBJECTIVES
def test_one_gradient_step_from_the_reference_lowers_the_loss_and_lifts_best_over_worst(entry):
    reference = token_logps(0)
    policy = reference.clone().requires_grad_()
    before = entry.function(lists(policy, reference))
    before.values.sum().backward()
    stepped = (policy - 1e-2 * policy.grad).detach()
    assert entry.function(lists(stepped, reference)).values.sum() < before.values.sum()
    moved = sum_scored(stepped - reference, lists(policy, reference).clips.scored)
    best, *_, worst = moved.reshape(N, SIZE).mean(0)
    assert best > worst


@OBJECTIVES
def test_one_gradient_step_lowers_the_loss_away_from_the_reference_too(entry):
    policy = token_logps(1).requires_grad_()
    before = entry.function(lists(policy, token_logps(0))).values.sum()
    before.backward()
    stepped = (policy - 1e-3 * policy.grad).detach()
    assert entry.function(lists(stepped, token_logps(0))).values.sum() < before


@OBJECTIVES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_of_the_input_is_the_type_of_the_loss(entry, dtype):
    batch = lists(token_logps(1, dtype), token_logps(0, dtype))
    assert entry.function(batch).values.dtype == dtype
    # Scores come from elsewhere and in a type of their own.
    other = torch.float32 if dtype == torch.float64 else torch.float64
    foreign = replace(batch, scores=batch.scores.to(other))
    assert entry.function(foreign).values.dtype == dtype


@OBJECTIVES
@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_extreme_log_ratios_have_finite_losses_and_gradients(entry, size):
    policy = (token_logps(1) * size).requires_grad_()
    values = entry.function(lists(policy, token_logps(0))).values
    values.sum().backward()
    assert values.isfinite().all()
    assert policy.grad.isfinite().all()


@OBJECTIVES
def test_diagnostics_are_one_for_each_list_and_detached(entry):
    loss = entry.function(lists(token_logps(1).requires_grad_(), token_logps(0)))
    assert loss.values.requires_grad
    for found in loss.diagnostics.values():
        assert found.shape == (N,)
        assert not found.requires_grad


@OBJECTIVES
def test_what_an_objective_declares_is_what_it_needs(entry):
    full = lists(token_logps(1), token_logps(0))
    bare = Lists(Clips(full.clips.logp, full.clips.n_codes), SIZE)
    of_clips = {
        Need.REFERENCE: ("reference_logp", "reference_tokens"),
        Need.TOKENS: ("token_logps", "scored"),
    }
    of_lists = {Need.SCORES: ("scores",), Need.STEPS: ("step", "step_embedding")}

    def given(needs):
        clip_fields = [f for need in needs for f in of_clips.get(need, ())]
        clips = replace(bare.clips, **{f: getattr(full.clips, f) for f in clip_fields})
        fields = [f for need in needs for f in of_lists.get(need, ())]
        return replace(bare, clips=clips, **{f: getattr(full, f) for f in fields})

    assert entry.function(given(entry.needs)).values.isfinite().all()
    for need in entry.needs:
        with pytest.raises(ConfigError, match=need.value):
            entry.function(given(entry.needs - {need}))
