"""What holds of every objective over pairs, and who equals whom."""

import inspect
import math
import re
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.losses import OBJECTIVES, Clips, Need, Pairs
from auralign.losses.objective import Group

PAIRWISE = {name: o for name, o in OBJECTIVES.items() if o.data == "pairs"}
EACH = pytest.mark.parametrize("objective", PAIRWISE.values(), ids=PAIRWISE)
OVER_THE_BATCH = {"aot", "aot_unpaired", "rpo_contrast", "rpo_contrast_uniform"}
DPO = PAIRWISE["dpo"].function
NEEDED = [(name, need) for name, o in PAIRWISE.items() for need in sorted(o.needs)]


@EACH
def test_it_runs_on_exactly_what_it_declares_and_keeps_its_precision(random_pairs, objective):
    for dtype in (torch.float32, torch.float64):
        drawn = random_pairs(objective.needs, n=4, dtype=dtype)
        values, diagnostics = objective.function(drawn.batch())
        assert values.shape == (4,)
        assert values.isfinite().all()
        assert {"chosen_reward", "rejected_reward"} <= set(diagnostics)
        assert all(d.shape == (4,) and not d.requires_grad for d in diagnostics.values())
        assert {values.dtype, *(d.dtype for d in diagnostics.values())} == {dtype}


@pytest.mark.parametrize(("name", "need"), NEEDED)
def test_without_one_of_its_needs_it_names_the_missing_thing(random_pairs, name, need):
    batch = random_pairs(PAIRWISE[name].needs - {need}).batch()
    with pytest.raises(ConfigError, match=f"this objective needs {need}"):
        PAIRWISE[name].function(batch)


@pytest.mark.parametrize("name", sorted(PAIRWISE.keys() - {"wpo"}))  # its weight is a constant
def test_autograd_agrees_with_finite_differences_along_a_random_direction(random_pairs, name):
    drawn = random_pairs(PAIRWISE[name].needs)
    start = [leaf.clone() for leaf in drawn.leaves]
    directions = [drawn.uniform(*leaf.shape) - 0.5 for leaf in start]

    def loss(step):
        drawn.leaves = [x + step * d for x, d in zip(start, directions, strict=True)]
        return PAIRWISE[name].function(drawn.batch()).values.mean()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(step), step)
    assert_close(slope, (loss(1e-5) - loss(-1e-5)) / 2e-5, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", sorted(PAIRWISE.keys() - {"discopop"}))
def test_a_step_down_the_gradient_lowers_the_loss_and_raises_chosen_relative_to_rejected(
    random_pairs, name
):
    drawn = random_pairs(PAIRWISE[name].needs, at_reference=True)
    reference = [leaf.clone() for leaf in drawn.leaves]
    for leaf in drawn.leaves:
        leaf.requires_grad_()
    loss = PAIRWISE[name].function(drawn.batch()).values.mean()
    slopes = torch.autograd.grad(loss, drawn.leaves, allow_unused=True, materialize_grads=True)
    step = 1e-4 / max(slope.abs().max() for slope in slopes)
    drawn.at_reference = False
    for i, slope in enumerate(slopes):
        drawn.others[i]["reference_tokens"] = reference[i]
        drawn.leaves[i] = reference[i] - step * slope
    assert PAIRWISE[name].function(drawn.batch()).values.mean() < loss
    chosen, rejected = (
        (leaf - before).sum() for leaf, before in zip(drawn.leaves, reference, strict=True)
    )
    assert chosen > rejected


@pytest.mark.parametrize("name", sorted(PAIRWISE.keys() - OVER_THE_BATCH))
def test_a_pair_has_its_own_loss_whatever_stands_beside_it(random_pairs, name):
    together = random_pairs(PAIRWISE[name].needs, n=2).batch()
    alone = [_row(together, i) for i in range(2)]
    expected = torch.cat([PAIRWISE[name].function(row).values for row in alone])
    assert_close(PAIRWISE[name].function(together).values, expected)


@pytest.mark.parametrize("name", sorted(OVER_THE_BATCH))
def test_the_order_of_a_batch_does_not_change_its_mean(random_pairs, name):
    batch = random_pairs(PAIRWISE[name].needs, n=5).batch()
    mean = PAIRWISE[name].function(batch).values.mean()
    assert_close(PAIRWISE[name].function(_row(batch, [3, 0, 4, 2, 1])).values.mean(), mean)


@pytest.mark.parametrize("name", sorted(n for n, o in PAIRWISE.items() if Need.TOKENS in o.needs))
@pytest.mark.parametrize("filler", [math.nan, -math.inf, 7.0])
def test_what_stands_at_codes_that_are_not_scored_reaches_neither_value_nor_gradient(
    random_pairs, name, filler
):
    drawn = random_pairs(PAIRWISE[name].needs)
    expected = PAIRWISE[name].function(drawn.batch()).values
    filled = []
    for leaf, fields in zip(drawn.leaves, drawn.others, strict=True):
        masked = ("reference_tokens", "token_weights", "kl_weights", "token_kl", "log_collision")
        scored = fields["scored"]
        fields.update({k: torch.where(scored, fields[k], filler) for k in masked})
        filled.append(torch.where(scored, leaf, filler).requires_grad_())
    drawn.leaves = filled
    values = PAIRWISE[name].function(drawn.batch()).values
    assert_close(values, expected)
    values.sum().backward()
    for leaf, fields in zip(drawn.leaves, drawn.others, strict=True):
        assert (leaf.grad[~fields["scored"]] == 0).all()
        assert leaf.grad.isfinite().all()


@EACH
def test_extreme_margins_have_finite_losses_and_gradients(random_pairs, objective):
    for far in ((-1e4, 0.0), (0.0, -1e4)):
        _assert_finite(random_pairs, objective, far)


def _assert_finite(random_pairs, objective, far):
    """Where chosen and rejected have so many nats more than usual."""
    drawn = random_pairs(objective.needs, n=2, dtype=torch.float32)
    for fields in drawn.others:
        fields["scored"] = torch.ones_like(fields["scored"])
    drawn.leaves = [
        (leaf + nats / leaf[0].numel()).requires_grad_()
        for leaf, nats in zip(drawn.leaves, far, strict=True)
    ]
    values = objective.function(drawn.batch()).values
    assert values.isfinite().all()
    values.sum().backward()
    assert all(x.grad is None or x.grad.isfinite().all() for x in drawn.leaves)


def test_an_option_that_an_objective_does_not_take_cannot_be_passed():
    for objective in OBJECTIVES.values():
        with pytest.raises(ConfigError, match="got 'betta'"):
            objective.bind({"betta": 1})


def test_a_misspelt_option_is_answered_with_the_near_one():
    with pytest.raises(ConfigError, match=r"label_smoothing, got 'smoothing' \(did you mean"):
        PAIRWISE["rdpo"].bind({"smoothing": 0.1})


def test_options_and_words_of_an_entry_are_those_of_its_function():
    dpop = PAIRWISE["dpop"]
    assert dpop.options == {"beta": 0.3, "penalty": 50.0, "per_code": False}
    assert dpop.papers == ("2402.13228",)
    assert dpop.family == "pairwise"
    assert (
        PAIRWISE["cpo"].use_when == "chosen clips are good enough to imitate, and memory is short."
    )
    assert (PAIRWISE["sparsepo"].derived, dpop.derived) == (True, False)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_every_option_has_a_default_and_every_docstring_its_use_and_its_source(objective):
    assert inspect.Parameter.empty not in objective.options.values()
    assert len(objective.summary) < 100
    assert objective.use_when
    assert objective.papers or re.search(r"\b20\d\d\b", objective.doc)
    assert objective.group in Group
    assert all(option in objective.doc for option in objective.options)


LOG_2 = {
    *("dpo", "rso", "cdpo", "rdpo", "spce", "ln_dpo", "dpop", "dpo_g", "flex_dpo"),
    *("aot", "aot_unpaired", "fdpo_forward_kl", "fdpo_js", "fdpo_alpha", "infonca_pair"),
    *("mm_dpo", "target_dpo", "segment_dpo", "ld_dpo", "mapl_intra", "mapl_inter"),
    *("rpo_contrast", "rpo_contrast_uniform", "selm"),
}


@pytest.mark.parametrize("name", sorted(LOG_2))
def test_where_policy_and_reference_are_the_same_the_loss_is_log_2(random_pairs, name):
    batch = random_pairs(PAIRWISE[name].needs, at_reference=True).batch()
    values = PAIRWISE[name].function(batch).values
    assert_close(values, torch.full_like(values, math.log(2)))


@pytest.mark.parametrize(
    "name",
    [
        *("dpo", "dpo_g", "dpop", "aot", "aot_unpaired", "fdpo_forward_kl", "fdpo_alpha"),
        *("mapl_inter", "rpo_contrast_uniform", "selm", "infonca_pair"),
    ],
)
def test_where_policy_and_reference_are_the_same_the_slopes_are_half_of_beta(random_pairs, name):
    objective = PAIRWISE[name]
    batch = random_pairs(objective.needs, at_reference=True).batch()
    if name == "infonca_pair":  # hard labels
        batch = replace(batch, rejected_score=batch.chosen_score - 1e4)
    leaves = [side.logp.requires_grad_() for side in (batch.chosen, batch.rejected)]
    slopes = torch.autograd.grad(objective.function(batch).values.sum(), leaves)
    half = torch.full_like(slopes[0], objective.options["beta"] / 2)
    assert_close(slopes, (-half, half))


EQUALS_DPO = {
    "rso": {"gamma": 0.1},
    "cdpo": {"label_smoothing": 0.0},
    "rdpo": {"label_smoothing": 0.0},
    "dpop": {"beta": 0.1, "penalty": 0.0},
    "dpo_g": {},
    "flex_dpo": {"beta_rejected": 0.1},
    "ld_dpo": {"alpha": 1.0},
    "mm_dpo": {"w": 0.0},
    "videodpo": {"alpha": 0.0},
    "odpo": {"alpha": 0.0},
    "wpo": {"max_weight": 1.0},
    "rpo_sft": {"alpha": 0.0},
    "mpo": {"preference_weight": 1.0, "quality_weight": 0.0, "generation_weight": 0.0},
    "spo_degree": {"gamma": 0.0},
    "selm": {"beta": 0.1, "alpha": 0.0},
    "xpo": {"alpha": 0.0},
    "spce": {},
    "target_dpo": {},
    "segment_dpo": {},
    "sparsepo": {},
    "infonca_pair": {"beta": 0.1, "temperature": 1e-4},
    "dove": {},
}


@pytest.mark.parametrize("name", EQUALS_DPO)
def test_with_its_extra_switched_off_an_objective_is_dpo(random_pairs, name):
    drawn = random_pairs(PAIRWISE[name].needs)
    for fields in drawn.others:
        fields["token_weights"] = torch.ones_like(fields["token_weights"])
        fields["kl_weights"] = torch.zeros_like(fields["kl_weights"])
        fields["condition_logp"] = fields["reference_condition_logp"]
        fields["log_collision"] = torch.full_like(fields["log_collision"], -100.0)
    drawn.extra["p_chosen"] = (Need.P_CHOSEN, torch.ones(drawn.n, dtype=drawn.dtype))
    values = PAIRWISE[name].function(drawn.batch(), **EQUALS_DPO[name]).values
    drawn.needs = {Need.REFERENCE}
    assert_close(values, DPO(drawn.batch()).values)


@pytest.mark.parametrize("name", ["aot", "aot_unpaired", "rpo_contrast", "rpo_contrast_uniform"])
def test_on_a_batch_of_one_pair_an_objective_over_batches_is_dpo(random_pairs, name):
    drawn = random_pairs(PAIRWISE[name].needs, n=1)
    values = PAIRWISE[name].function(drawn.batch()).values
    drawn.needs = {Need.REFERENCE}
    assert_close(values, DPO(drawn.batch()).values)


def _row(record, i):
    """The same record with the items `i` only."""
    index = [i] if isinstance(i, int) else i
    parts = {name: value for name, value in vars(record).items() if value is not None}
    return type(record)(
        **{k: _row(v, i) if isinstance(v, Clips | Pairs) else v[index] for k, v in parts.items()}
    )
