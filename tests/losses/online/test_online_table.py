import inspect
import re
from pathlib import Path

import pytest
import torch

from auralign.errors import ConfigError
from auralign.losses import OBJECTIVES, Need
from auralign.losses.online import ONLINE_OBJECTIVES, OnlineGroup, RolloutNeed, Rollouts
from auralign.losses.online.explain import explain, listing, page
from auralign.losses.online.kl import Gradient

pytestmark = pytest.mark.slow

NEEDED = [(name, need) for name, o in ONLINE_OBJECTIVES.items() for need in sorted(o.needs)]
EACH = pytest.mark.parametrize("name", ONLINE_OBJECTIVES)


def rollouts_with(needs):
    """Four clips in two groups that hold what these needs ask for, and nothing else."""
    shape, frames = (4, 2, 3), (4, 3)
    ones, logps = torch.ones(frames), -torch.rand(shape, generator=torch.Generator().manual_seed(0))
    fields = {
        Need.REFERENCE: {"reference_logps": logps - 0.1},
        RolloutNeed.REWARDS: {"rewards": torch.tensor([1.0, 0.0, 0.0, 1.0])},
        RolloutNeed.GROUPS: {"group": torch.tensor([0, 0, 1, 1])},
        RolloutNeed.ADVANTAGES: {
            "advantages": torch.tensor([1.0, -1.0, 0.5, 0.0]),
            "counted": torch.ones(4).bool(),
        },
        RolloutNeed.VALUES: {"values": ones, "old_values": ones},
        RolloutNeed.RETURNS: {"returns": ones},
        RolloutNeed.MAX_CODES: {"max_codes": 6},
    }
    given = {k: v for need in needs for k, v in fields[need].items()}
    return Rollouts(logps, logps, torch.ones(shape).bool(), **given)


@pytest.fixture
def holding(random_pairs):
    """`holding(entry, needs)`: a batch of the entry's kind with what these needs ask for."""

    def build(entry, needs):
        return random_pairs(needs).batch() if entry.data == "pairs" else rollouts_with(needs)

    return build


@EACH
def test_it_runs_on_exactly_what_it_declares(holding, name):
    entry = ONLINE_OBJECTIVES[name]
    values, diagnostics = entry.function(holding(entry, entry.needs))
    assert values.ndim == 1
    assert values.isfinite().all()
    assert all(d.shape == values.shape and not d.requires_grad for d in diagnostics.values())


@pytest.mark.parametrize(("name", "need"), NEEDED)
def test_without_one_of_its_needs_it_names_the_missing_thing(holding, name, need):
    entry = ONLINE_OBJECTIVES[name]
    with pytest.raises(ConfigError, match=re.escape(f"this objective needs {need}")):
        entry.function(holding(entry, entry.needs - {need}))


@EACH
def test_every_option_has_a_default_and_every_docstring_its_use_and_its_source(name):
    entry = ONLINE_OBJECTIVES[name]
    assert inspect.Parameter.empty not in entry.options.values()
    assert len(entry.summary) < 100
    assert entry.use_when
    assert entry.papers or "Williams 1992" in entry.doc
    assert all(option in entry.doc for option in entry.options)
    if entry.advantages is not None:
        doc = inspect.getdoc(entry.advantages)
        assert all(option in doc for option in entry.advantage_options)
        assert "Source: " in doc


@pytest.mark.parametrize("name", [n for n, o in ONLINE_OBJECTIVES.items() if o.advantages])
def test_advantages_and_loss_with_bound_options_go_together(name):
    entry = ONLINE_OBJECTIVES[name]
    batch = rollouts_with([*set(RolloutNeed) - {RolloutNeed.ADVANTAGES}, Need.REFERENCE])
    if entry.group is OnlineGroup.SEVERAL_REWARDS:
        batch = Rollouts(**{**vars(batch), "rewards": torch.rand(4, 2)})
    found = entry.bind_advantages(entry.advantage_options)(batch)
    assert not found.values.requires_grad
    values = entry.bind(entry.options)(batch.given(found)).values
    assert values.shape == (4,)


def test_an_option_that_is_not_taken_is_answered_with_the_near_one():
    grpo = ONLINE_OBJECTIVES["grpo"]
    with pytest.raises(ConfigError, match=r"grpo takes clip_low, clip_high, got 'clip_hi'"):
        grpo.bind({"clip_hi": 0.3})
    with pytest.raises(ConfigError, match=r"group_z_scores takes .* \(did you mean 'unbiased'"):
        grpo.bind_advantages({"unbaised": False})


def test_an_objective_that_compares_rewards_itself_has_no_advantages():
    assert ONLINE_OBJECTIVES["online_dpo"].advantage_options == {}
    with pytest.raises(ConfigError, match="online_dpo compares rewards itself"):
        ONLINE_OBJECTIVES["online_dpo"].bind_advantages({})


def test_the_exploring_objectives_are_those_of_the_pairs():
    for name in ("selm", "xpo"):
        assert ONLINE_OBJECTIVES[name].function is OBJECTIVES[name].function
        assert ONLINE_OBJECTIVES[name].needs == OBJECTIVES[name].needs


def test_published_kl_terms_pull_at_the_divergence_that_was_meant_but_for_that_of_grpo():
    pulls = {n: o.kl.gradient for n, o in ONLINE_OBJECTIVES.items() if o.kl is not None}
    assert pulls.pop("grpo") is Gradient.REFERENCE
    assert set(pulls.values()) == {Gradient.POLICY}


def test_the_page_has_every_objective_once_in_a_table_and_once_in_full():
    text = page()
    for name in ONLINE_OBJECTIVES:
        assert text.count(f"| [`{name}`](#{name}) |") == 1
        assert text.count(f"\n### {name}\n") == 1


def test_every_row_of_a_table_on_the_page_has_as_many_cells_as_its_head():
    lines = page().splitlines()
    heads = [i for i, line in enumerate(lines) if line.startswith("| --- |")]
    assert len(heads) == len(OnlineGroup) + 1
    for head in heads:
        rows = lines[head:]
        rows = rows[: next(i for i, line in enumerate(rows) if not line.startswith("|"))]
        assert len(rows) > 1
        assert {row.replace("\\|", "").count("|") for row in rows} == {lines[head].count("|")}


def test_the_listing_says_what_goes_with_each_objective():
    rows = {row["name"]: row for row in listing()}
    assert rows.keys() == ONLINE_OBJECTIVES.keys()
    grpo = rows["grpo"]
    assert (grpo["advantages"], grpo["reduction"]) == ("group_z_scores", "clip_mean")
    assert grpo["advantage_options"] == {"unbiased": True, "eps": 1e-4, "min_spread": 0.0}
    assert grpo["kl"] == {"weight": 0.04, "place": "none", "estimator": "k3", "level": "code"}
    assert rows["dapo"]["options"] == {"clip_low": 0.2, "clip_high": 0.28}
    assert rows["hypo_kl"]["derived"]


def test_an_explanation_has_the_signatures_the_formulas_and_the_pull_of_the_kl():
    text = explain("grpo")
    assert text.startswith("grpo(clip_low=0.2, clip_high=0.2)\n\nTakes rollouts. Needs: advantages")
    assert "with the gradient of KL(reference || policy)." in text
    assert "Advantages: group_z_scores(unbiased=True, eps=0.0001, min_spread=0.0)" in text
    assert "(R_i - mean R) / (std R + eps)" in text


def test_an_unknown_online_objective_is_answered_with_the_near_one():
    with pytest.raises(ConfigError, match=r"got 'grppo' \(did you mean 'grpo'\?\)"):
        explain("grppo")


def test_the_page_of_the_docs_is_what_the_table_says():
    """Made anew by `auralign.losses.online.explain.page`."""
    written = Path(__file__).parents[3] / "docs" / "online-objectives.md"
    assert written.read_text(encoding="utf-8") == page()
