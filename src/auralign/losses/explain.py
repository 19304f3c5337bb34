"""What the table says, in words: rows for a listing, an objective as text, the page of the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auralign.errors import ConfigError, did_you_mean
from auralign.losses.batch import Need
from auralign.losses.objective import Group, Objective
from auralign.losses.table import OBJECTIVES

_INTRODUCTION = """\
# Which objective should I use?

Find the heading that says what you have and what troubles it; start with the first row below it.
Where nothing troubles you, that is `dpo`. `beta` belongs to log-probabilities summed over the codes
of a clip, unless an objective says that it takes means. *Derived* means that the exact formula of
the paper could not be read; the text below the tables says what is ours.

This page is made from the docstrings by `auralign.losses.explain.page`.
"""


def listing() -> list[dict[str, Any]]:
    """One record for each objective: name, data, group, family, needs, options, summary, papers."""
    return [
        {
            "name": name,
            "data": objective.data,
            "group": str(objective.group),
            "family": objective.family,
            "needs": _needs(objective),
            "options": objective.options,
            "summary": objective.summary,
            "papers": list(objective.papers),
            "derived": objective.derived,
        }
        for name, objective in OBJECTIVES.items()
    ]


def explain(name: str) -> str:
    """Signature, needs and docstring of an objective; ConfigError for a name that is not known."""
    if name not in OBJECTIVES:
        raise ConfigError(
            f"expected an objective out of {', '.join(OBJECTIVES)}, got '{name}'"
            f"{did_you_mean(name, OBJECTIVES)}"
        )
    objective = OBJECTIVES[name]
    options = signature(objective.options)
    needs = "; ".join(_needs(objective)) or "nothing else"
    return f"{name}({options})\n\nTakes {objective.data}. Needs: {needs}.\n\n{objective.doc}\n"


def page() -> str:
    """The page of the docs, in Markdown."""
    groups = [_group(group) for group in Group if _members(group)]
    formulas = [f"### {name}\n\n```text\n{explain(name)}```\n" for name in OBJECTIVES]
    return "\n".join([_INTRODUCTION, *groups, "## Formulas and options\n", *formulas])


def _members(group: Group) -> dict[str, Objective]:
    return {name: entry for name, entry in OBJECTIVES.items() if entry.group is group}


def _group(group: Group) -> str:
    """The heading of a group and the table of its objectives."""
    rows = "".join(_row(name, objective) for name, objective in _members(group).items())
    head = (
        "| objective | what it is | use when | needs | paper |\n| --- | --- | --- | --- | --- |\n"
    )
    return f"## {group}\n\n{head}{rows}"


def _row(name: str, objective: Objective) -> str:
    return table_row(name, objective, "; ".join(_needs(objective)) or "nothing else")


def table_row(name: str, objective: Objective, *cells: str) -> str:
    """Name, summary and use of an objective, further cells, and its papers, in Markdown."""
    papers = [f"[{paper}](https://arxiv.org/abs/{paper})" for paper in objective.papers]
    sources = ", ".join(papers) + (" (derived)" if objective.derived else "")
    row = [f"[`{name}`](#{name})", objective.summary, objective.use_when, *cells, sources]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"


def signature(options: Mapping[str, Any]) -> str:
    """`name=default, ...`."""
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _needs(objective: Objective) -> list[str]:
    """In the order of the table of needs, so that pages and listings do not change by chance."""
    return [str(need) for need in Need if need in objective.needs]
