"""What the table of online objectives says, in words: a listing and the page of the docs."""

from __future__ import annotations

import inspect
from typing import Any

from auralign.errors import ConfigError, did_you_mean
from auralign.losses.batch import Need
from auralign.losses.explain import signature, table_row
from auralign.losses.online.kl import GRADIENTS
from auralign.losses.online.objective import KL, OnlineGroup, OnlineObjective
from auralign.losses.online.rollouts import RolloutNeed
from auralign.losses.online.table import ONLINE_OBJECTIVES

_INTRODUCTION = """\
# Which online objective should I use?

Find the heading that says what you can sample and who judges it; start with the first row below it.
Advantages are worked out once over all clips of a batch, losses on its parts. *Derived* means that
the exact formula of the paper could not be read; the text below the tables says what is ours.

This page is made from the docstrings by `auralign.losses.online.explain.page`.
"""

_KL = """\
## What holds the policy to the reference

u = log p_policy - log p_reference of a sampled code; k1 = u, k2 = u²/2, k3 = e^-u - 1 + u. The
expected gradient of each place and estimator, on clips of the policy itself (on old clips, only
those in the loss with a ratio still have it):

| place | estimator | gradient |
| --- | --- | --- |
"""


def listing() -> list[dict[str, Any]]:
    """One record for each objective: name, data, group, needs, options, advantages, KL, papers."""
    return [
        {
            "name": name,
            "data": entry.data,
            "group": str(entry.group),
            "family": entry.family,
            "needs": _needs(entry),
            "options": entry.options,
            "advantages": _named(entry.advantages),
            "advantage_options": entry.advantage_options,
            "reduction": _named(entry.reduction),
            "kl": None if entry.kl is None else vars(entry.kl),
            "summary": entry.summary,
            "papers": list(entry.papers),
            "derived": entry.derived,
        }
        for name, entry in ONLINE_OBJECTIVES.items()
    ]


def explain(name: str) -> str:
    """Signatures, needs and docstrings of an objective; ConfigError for a name not known."""
    if name not in ONLINE_OBJECTIVES:
        raise ConfigError(
            f"expected an online objective out of {', '.join(ONLINE_OBJECTIVES)}, got '{name}'"
            f"{did_you_mean(name, ONLINE_OBJECTIVES)}"
        )
    entry = ONLINE_OBJECTIVES[name]
    needs = "; ".join(_needs(entry)) or "nothing else"
    text = f"{name}({signature(entry.options)})\n\nTakes {entry.data}. Needs: {needs}.\n"
    if entry.kl is not None:
        text += f"KL: {_kl(entry.kl)}.\n"
    text += f"\n{entry.doc}\n"
    if entry.advantages is not None:
        head = f"{_named(entry.advantages)}({signature(entry.advantage_options)})"
        text += f"\nAdvantages: {head}\n\n{inspect.getdoc(entry.advantages)}\n"
    return text


def page() -> str:
    """The page of the docs, in Markdown."""
    groups = [_group(group) for group in OnlineGroup]
    formulas = [f"### {name}\n\n```text\n{explain(name)}```\n" for name in ONLINE_OBJECTIVES]
    return "\n".join(
        [
            _INTRODUCTION,
            *groups,
            _reductions(),
            _gradients(),
            "## Formulas and options\n",
            *formulas,
        ]
    )


def _reductions() -> str:
    """What a code of a long clip weighs beside one of a short clip."""
    used = dict.fromkeys(entry.reduction for entry in ONLINE_OBJECTIVES.values() if entry.reduction)
    rows = [f"- `{_named(function)}`: {inspect.getdoc(function)}\n" for function in used]
    return "## From codes to clips\n\n" + "".join(row.split("\n\n")[0] + "\n" for row in rows)


def _gradients() -> str:
    """What each place makes of each estimator of the KL."""
    rows = (
        f"| {place if place == 'reward' else f'loss, `{place}`'} | {estimator} | {gradient} |\n"
        for (place, estimator), gradient in GRADIENTS.items()
    )
    return _KL + "".join(row.replace("||", "\\|\\|") for row in rows)


def _group(group: OnlineGroup) -> str:
    """The heading of a group and the table of its objectives."""
    members = {name: entry for name, entry in ONLINE_OBJECTIVES.items() if entry.group is group}
    head = (
        "| objective | what it is | use when | from codes to clips | advantages | paper |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    )
    return f"## {group}\n\n{head}" + "".join(_row(*member) for member in members.items())


def _row(name: str, entry: OnlineObjective) -> str:
    reduction, advantages = _named(entry.reduction) or "", _named(entry.advantages) or ""
    return table_row(name, entry, reduction, advantages)


def _needs(entry: OnlineObjective) -> list[str]:
    """In the order of the tables of needs, so that pages do not change by chance."""
    return [str(need) for need in (*RolloutNeed, *Need) if need in entry.needs]


def _named(function: Any) -> str | None:
    return None if function is None else function.__name__


def _kl(kl: KL) -> str:
    """Where it is, and what its gradient is."""
    where = "in the reward" if kl.place == "reward" else f"in the loss ({kl.place}, by {kl.level})"
    return f"{kl.weight:g} times {kl.estimator} {where}, with the gradient {kl.gradient}"
