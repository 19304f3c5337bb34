import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses.batch import Clips, Need, Unpaired
from auralign.losses.unpaired import (
    ENTRIES,
    RunningShift,
    apo_zero_unpaired,
    bco,
    density_ratio,
    kto,
    kto_weights,
    mismatched_rows,
    pmpo,
    pmpo_negative,
    pmpo_positive,
    rpo_unpaired,
)

OBJECTIVES = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def clips(*log_ratio: float | torch.Tensor, reference: float = -3.0) -> Clips:
    rho = torch.stack([torch.as_tensor(r, dtype=torch.float64) for r in log_ratio])
    return Clips(rho + reference, torch.full_like(rho, 4), torch.full_like(rho, reference))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def thumbs(rho: torch.Tensor, up: list[bool], **fields) -> Unpaired:
    batch = {
        "mismatched": clips(0.4, 0.2),
        "from_reference": clips(-0.04, 0.0),
        "prompt_embedding": torch.eye(len(up), 3, dtype=torch.float64),
    }
    return Unpaired(clips(*rho), torch.tensor(up), **(batch | fields))


def with_log_ratio(batch: Unpaired, rho: torch.Tensor) -> Unpaired:
    return replace(batch, clips=replace(batch.clips, logp=batch.clips.reference_logp + rho))


UP = [True, False, True, False]
RHO = double(0.3, -0.2, 1.5, 0.8)


def test_kto_by_hand():
    # beta 0.1; mismatched log-ratios 0.4 and 0.2: reference point 0.1 * 0.3 = 0.03
    batch = thumbs(double(1.0, -0.5), [True, False])
    values, found = kto(batch, beta=0.1, desirable_weight=1.2, undesirable_weight=0.9)
    assert_close(values, double(1.2 * (1 - sigmoid(0.07)), 0.9 * (1 - sigmoid(0.03 + 0.05))))
    assert_close(found["reference_point"], double(0.03, 0.03))
    assert_close(found["reward"], double(0.1, -0.05))


def test_the_reference_point_of_kto_is_never_negative_and_has_no_gradient():
    logp = double(-9.0, -8.0).requires_grad_()
    below = Clips(logp, double(4, 4), double(-3.0, -3.0))
    rho = RHO.clone().requires_grad_()
    found = kto(thumbs(rho, UP, mismatched=below)).diagnostics
    assert (found["reference_point"] == 0).all()
    above = Clips(logp + 20, double(4, 4), double(-3.0, -3.0))
    assert (kto(thumbs(rho, UP, mismatched=above)).diagnostics["reference_point"] > 0).all()
    kto(thumbs(rho, UP, mismatched=above)).values.sum().backward()
    assert logp.grad is None
    assert rho.grad is not None


@pytest.mark.parametrize("objective", [kto, bco, apo_zero_unpaired, pmpo])
@pytest.mark.parametrize("up", [[True, True], [False, False]])
def test_a_batch_of_one_kind_of_thumb_has_finite_loss_and_gradient(objective, up):
    rho = double(0.3, -0.2).requires_grad_()
    values = objective(thumbs(rho, up)).values
    values.sum().backward()
    assert values.isfinite().all()
    assert rho.grad.isfinite().all()


def test_kto_without_mismatched_rows_is_an_error_not_a_nan():
    nobody = Clips(double(), double(), double())
    with pytest.raises(ConfigError, match="at least one mismatched clip"):
        kto(thumbs(RHO, UP, mismatched=nobody))


@given(st.integers(1, 500), st.integers(1, 500), st.floats(1, 4 / 3))
def test_kto_weights_balance_the_classes_and_leave_one_at_weight_one(n_up, n_down, ratio):
    up, down = kto_weights(n_up, n_down, ratio=ratio)
    assert (up * n_up) / (down * n_down) == pytest.approx(ratio)
    assert min(up, down) == pytest.approx(1)


@pytest.mark.parametrize(("counts", "ratio"), [((3, 4), 0.9), ((3, 4), 1.5), ((0, 4), 1.0)])
def test_kto_weights_outside_the_papers_band_or_of_no_clips_are_refused(counts, ratio):
    with pytest.raises(ConfigError, match=r"expected ratio|both classes"):
        kto_weights(*counts, ratio=ratio)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12))
def test_mismatched_rows_is_a_permutation_that_leads_to_other_prompts(prompts):
    prompt = torch.tensor(prompts)
    rows = mismatched_rows(prompt)
    assert sorted(rows.tolist()) == list(range(len(prompts)))
    assert not (rows == torch.arange(len(prompts))).any()
    if max(prompts.count(p) for p in prompts) <= len(prompts) / 2:
        assert (prompt[rows] != prompt).all()


def test_one_clip_has_nothing_to_be_mismatched_with():
    with pytest.raises(ConfigError, match="at least 2 clips"):
        mismatched_rows(torch.tensor([7]))


@given(st.floats(-20, 20), st.booleans())
def test_zero_anchored_thumbs_are_kto_with_its_reference_point_at_zero(rho, up):
    batch = thumbs(double(rho), [up], mismatched=clips(-1.0))
    assert_close(apo_zero_unpaired(batch).values, kto(batch).values)


def test_bco_by_hand_with_the_batchs_own_shift_and_with_a_running_one():
    # beta 0.5, rewards up 0.5 and 0.1, down -0.2: midpoint (0.3 - 0.2) / 2 = 0.05
    batch = thumbs(double(1.0, 0.2, -0.4), [True, True, False])
    own = double(softplus(-0.45), softplus(-0.05), softplus(-0.25))
    assert_close(bco(batch, beta=0.5).values, own)
    shifted = bco(replace(batch, reward_shift=torch.tensor(0.3)), beta=0.5).values
    assert_close(shifted, double(softplus(-0.2), softplus(0.2), softplus(-0.5)))


def test_the_shift_of_bco_has_no_gradient():
    # With gradient through the midpoint the coefficients of both classes would cancel in part.
    rho = double(1.0, -0.4).requires_grad_()
    bco(thumbs(rho, [True, False]), beta=1.0).values.sum().backward()
    assert_close(rho.grad, double(-sigmoid(-0.7), sigmoid(-0.7)))


def test_the_two_binary_losses_of_a_pair_bound_its_dpo_loss_from_above():
    # Theorem 1 of arXiv 2404.04656.
    rho = 3 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for up, down in rho:
        pair = bco(thumbs(torch.stack([up, down]), [True, False]), beta=0.7).values.sum()
        assert pair >= torch.nn.functional.softplus(-0.7 * (up - down))


def test_density_ratios_weigh_dislikes_only_and_are_clamped():
    ratio = density_ratio(double(0.5, 0.75, 0.01, 0.999))
    assert_close(ratio, double(1.0, 3.0, 0.5, 10.0))
    batch = thumbs(RHO, UP, reward_shift=torch.tensor(0.0))
    plain, weighed = bco(batch).values, bco(replace(batch, density_ratio=ratio)).values
    assert_close(weighed / plain, double(1.0, 3.0, 1.0, 10.0))


def test_the_running_shift_is_the_midpoint_of_all_rewards_so_far():
    first = thumbs(double(1.0, 3.0, -1.0), [True, True, False])
    second = thumbs(double(5.0, -4.0), [True, False])
    shift = RunningShift().updated(first, beta=0.5).updated(second, beta=0.5)
    assert shift.value.item() == pytest.approx(0.5 * ((1 + 3 + 5) / 3 + (-1 - 4) / 2) / 2)
    assert RunningShift().value.item() == 0
    only_up = RunningShift().updated(thumbs(double(2.0), [True]), beta=0.5)
    assert only_up.value.item() == 1.0


def test_pmpo_at_the_numbers_of_the_source():
    # l(A) = (-1, -1.5), l(B) = -2, KL 0.04, alpha 0.5, beta 0.3: -[-0.625 + 1 - 0.012]
    batch = Unpaired(
        Clips(double(-1, -1.5, -2), double(1, 1, 1)),
        torch.tensor([True, True, False]),
        from_reference=clips(-0.03, -0.05),
    )
    assert pmpo(batch).values.mean().item() == pytest.approx(-0.363)
    assert pmpo(batch, alpha=1, beta=0).values.mean().item() == pytest.approx(1.25)
    assert_close(pmpo_positive(batch).values, pmpo(batch, alpha=1, beta=0).values)
    assert_close(pmpo_negative(batch).values, pmpo(batch, alpha=0, beta=0.3).values)
    assert pmpo_negative(batch).values.mean().item() == pytest.approx(-2 + 0.3 * 0.04)


def test_without_a_divergence_dislikes_would_have_no_floor():
    for alpha in (0.0, 0.5):
        with pytest.raises(ConfigError, match="expected beta above 0"):
            pmpo(thumbs(RHO, UP), alpha=alpha, beta=0)
    with pytest.raises(ConfigError, match=r"expected alpha in \[0, 1\]"):
        pmpo(thumbs(RHO, UP), alpha=1.2)


def test_dislikes_alone_settle_where_the_derivative_says():
    # One disliked arm: p_0 = (beta ref_0 - 1) / (beta - 1), the others beta ref_k / (beta - 1).
    # With beta 4 and the reference (1/2, 1/4, 1/4) that is one third each.
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        logits.copy_(double(0.5, 0.25, 0.25).log())
    reference = double(0.5, 0.25, 0.25).log()
    samples = torch.tensor([0, 0, 1, 2])
    for _ in range(300):
        logp = logits.log_softmax(0)
        drawn = Clips(logp[samples], torch.ones(4), reference[samples])
        disliked = Clips(logp[:1], torch.ones(1), reference[:1])
        batch = Unpaired(disliked, torch.tensor([False]), from_reference=drawn)
        (slope,) = torch.autograd.grad(pmpo_negative(batch, beta=4.0).values.mean(), logits)
        with torch.no_grad():
            logits -= 0.3 * slope
    assert_close(logits.softmax(0).detach(), double(1 / 3, 1 / 3, 1 / 3))


def test_a_divergence_measured_on_the_dislikes_would_teach_them():
    # Net weight (1 - alpha) - beta < 0 of their log-probability in a loss that is minimised.
    logp = double(-2.0).requires_grad_()
    same = Clips(logp, double(1), double(-2.0))
    batch = Unpaired(same, torch.tensor([False]), from_reference=same)
    pmpo(batch, alpha=0.5, beta=0.8).values.mean().backward()
    assert logp.grad.item() == pytest.approx(0.5 - 0.8)


def test_contrasts_of_thumbs_by_hand():
    # rho liked (1, 0.5), disliked (-1, 0.2), orthogonal but for equal prompts: the numbers of pairs
    batch = thumbs(
        double(1, 0.5, -1, 0.2),
        [True, True, False, False],
        prompt_embedding=torch.eye(2, dtype=torch.float64).repeat(2, 1),
    )
    assert_close(rpo_unpaired(batch).values, double(0.648666, 0.682135), atol=1e-6, rtol=0)


@pytest.mark.parametrize("up", [[True, True], [False, False]])
def test_thumbs_of_one_kind_have_nothing_to_contrast_and_teach_nothing(up):
    rho = double(1, 0).requires_grad_()
    embedding = torch.eye(2, dtype=torch.float64)
    values, found = rpo_unpaired(thumbs(rho, up, prompt_embedding=embedding))
    values.mean().backward()
    assert_close(values, double(0, 0))
    assert_close(rho.grad, double(0, 0))
    assert not found


@OBJECTIVES
def test_autograd_agrees_with_finite_differences(entry):
    batch = thumbs(RHO, UP, reward_shift=torch.tensor(0.1))

    def values(rho: torch.Tensor) -> torch.Tensor:
        return entry.function(with_log_ratio(batch, rho)).values

    assert torch.autograd.gradcheck(values, RHO.clone().requires_grad_())


@OBJECTIVES
def test_one_gradient_step_lowers_the_loss_and_parts_likes_from_dislikes(entry):
    rho = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    before = entry.function(thumbs(rho, UP)).values.mean()
    before.backward()
    stepped = (rho - 0.1 * rho.grad).detach()
    assert entry.function(thumbs(stepped, UP)).values.mean() < before
    assert stepped[torch.tensor(UP)].mean() > stepped[~torch.tensor(UP)].mean()


@OBJECTIVES
def test_what_an_objective_declares_is_what_it_needs(entry):
    bare = Unpaired(Clips(double(-1, -2), double(4, 4)), torch.tensor([True, False]))
    field_of = {
        Need.REFERENCE: {"clips": clips(-0.2, 0.4)},
        Need.MISMATCHED: {"mismatched": clips(0.1)},
        Need.FROM_REFERENCE: {"from_reference": clips(0.1)},
        Need.EMBEDDING: {"prompt_embedding": torch.eye(2, dtype=torch.float64)},
    }
    fields = {k: v for need in entry.needs for k, v in field_of[need].items()}
    assert entry.function(replace(bare, **fields)).values.isfinite().all()
    for need in entry.needs - {Need.REFERENCE}:
        (missing,) = field_of[need]
        with pytest.raises(ConfigError, match=need.value):
            entry.function(replace(bare, **{**fields, missing: None}))


@OBJECTIVES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_of_the_input_is_the_type_of_the_loss(entry, dtype):
    batch = thumbs(RHO, UP, density_ratio=double(1, 2, 1, 2).to(dtype))
    sides = {name: getattr(batch, name) for name in ("clips", "mismatched", "from_reference")}
    cast = {
        name: Clips(c.logp.to(dtype), c.n_codes, c.reference_logp.to(dtype))
        for name, c in sides.items()
    }
    batch = replace(batch, prompt_embedding=batch.prompt_embedding.to(dtype), **cast)
    assert entry.function(batch).values.dtype == dtype


@OBJECTIVES
@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_extreme_log_ratios_have_finite_losses_and_gradients(entry, size):
    rho = torch.full((4,), size, dtype=torch.float64, requires_grad=True)
    values = entry.function(thumbs(rho, UP)).values
    values.sum().backward()
    assert values.isfinite().all()
    assert rho.grad.isfinite().all()
