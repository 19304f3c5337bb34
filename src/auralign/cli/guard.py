"""`auralign guard`: what the rule book says of a run that has trained a policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, Verb
from auralign.cli.tables import number, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.training.guard.rule import Finding
    from auralign.training.guard.runs import WatchedTraining


@click.command(cls=Verb)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--all", "show_all", is_flag=True, help="Also list the rules that cannot tell.")
@click.pass_obj
def guard(console: Console, /, run: Path, show_all: bool) -> None:
    """Judge the training in RUN, a folder of `auralign align` or of a recipe, by the rule book.

    The verdicts are about the last evaluation, with the step of the first alarm of each rule.
    """
    from auralign.training.guard.runs import watched_trainings

    trainings = watched_trainings(run)
    documents = [_document(training) for training in trainings]
    texts = [_text(t, d, show_all) for t, d in zip(trainings, documents, strict=True)]
    console.result({"run": run, "trainings": documents}, "\n\n\n".join(texts))


def _document(training: WatchedTraining) -> dict[str, Any]:
    from auralign.training.guard.evidence import worst

    last = training.looks[-1]
    return {
        "name": training.name,
        "guarded": training.guarded,
        "steps": [look.step for look in training.looks],
        "verdict": worst([finding.verdict for finding in last.findings]),
        "findings": [
            {"rule": f.rule, "verdict": f.verdict, "value": f.value, "sentence": f.sentence}
            | {"advice": f.advice, "first_alarm": _first_alarm(training, f.rule)}
            for f in last.findings
        ],
        "curve": _curve(training),
    }


def _first_alarm(training: WatchedTraining, rule: str) -> int | None:
    """The step of the first evaluation at which the rule raised an alarm."""
    steps = (
        look.step
        for look in training.looks
        if any(f.rule == rule and f.verdict == "alarm" for f in look.findings)
    )
    return next(steps, None)


def _curve(training: WatchedTraining) -> dict[str, Any]:
    """Proxy and gold reward of each evaluation over KL, and their fits where there are enough."""
    from auralign.training.guard.over_optimisation import curve_of

    return curve_of([look.evidence.figures for look in training.looks])


def _text(training: WatchedTraining, document: dict[str, Any], show_all: bool) -> str:
    findings = training.looks[-1].findings
    known = [f for f in findings if f.verdict != "cannot tell"]
    unknown = [f for f in findings if f.verdict == "cannot tell"]
    alarms = {f["rule"]: f["first_alarm"] for f in document["findings"]}
    rows = [
        [f.rule, str(f.verdict), number(f.value), _step(alarms[f.rule])]
        for f in (findings if show_all else known)
    ]
    by = "the guard's probe" if training.guarded else "the trainer's measures only"
    head = f"{training.name}: {document['verdict']} at step {document['steps'][-1]}, by {by}"
    return page(
        head,
        table(["rule", "verdict", ">value", ">alarm at"], rows),
        paragraphs(_sentences(findings)),
        paragraphs(_curve_text(document["curve"])),
        notes=_notes(unknown, training.guarded, show_all),
    )


def _step(step: int | None) -> str:
    return "-" if step is None else str(step)


def _sentences(findings: Sequence[Finding]) -> list[str]:
    return [
        f"{f.rule}: {f.sentence}. What to do: {f.advice}."
        for f in findings
        if f.verdict in ("watch", "alarm")
    ]


def _curve_text(curve: dict[str, Any]) -> list[str]:
    fit = curve["gold_fit"]
    if fit is None:
        return []
    peak = "no peak" if fit.peak_kl is None else f"a peak at {fit.peak_kl:.1f} nats"
    return [
        f"Gold reward over d = sqrt(KL): d ({fit.alpha:.3f} - {fit.beta:.3f} log d), {peak} "
        "(arXiv 2210.10760)."
    ]


def _notes(unknown: Sequence[Finding], guarded: bool, show_all: bool) -> list[str]:
    if not unknown:
        return []
    more = "" if show_all else " (--all lists them, --json says why)"
    missing = f"{len(unknown)} rules cannot tell{more}"
    return [missing if guarded else f"{missing}: this run was trained without a guard"]
