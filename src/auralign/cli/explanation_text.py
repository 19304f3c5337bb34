"""What `auralign stats explain` prints: what explains votes, look by look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auralign.cli.tables import interval, number, p_value, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.stats.studies import StudyExplanation


def explanation_text(found: StudyExplanation) -> str:
    missing = [f"no {look}: {reason}" for look, reason in found.missing.items()]
    return page(
        f"{found.dimension} in {found.study}: what explains {found.n} votes?",
        *_factors(found),
        *_confounders(found),
        *_conjoint(found),
        *_consistency(found),
        notes=[*missing, *found.warnings],
    )


def _factors(found: StudyExplanation) -> list[str]:
    if found.factors is None:
        return []
    rows = [
        [
            e.attribute,
            number(e.scale),
            number(e.log_odds.value),
            interval(e.log_odds),
            number(e.win_rate, 3),
            p_value(e.p_holm),
        ]
        for e in found.factors.effects
    ]
    head = ["<attribute", ">one sd", ">log-odds", f"{found.level:.0%} interval", ">win rate"]
    words = (
        "Log-odds and win rate of a clip that is one standard deviation higher, the others held "
        f"equal; all together explain {100 * found.factors.share_explained:.1f} % of the "
        "log-likelihood. An association, not a cause."
    )
    return [
        table([*head, ">p, Holm"], rows),
        paragraphs([words, *(f"note: {text}" for text in found.factors.warnings)]),
    ]


def _confounders(found: StudyExplanation) -> list[str]:
    check = found.confounders
    if check is None:
        return []
    rows = [
        [
            e.name,
            number(e.alone.value),
            number(e.adjusted.value),
            interval(e.adjusted),
            p_value(e.p_holm),
        ]
        for e in check.effects
    ]
    head = ["<suspect", ">alone", ">beside the rest", f"{found.level:.0%} interval", ">p, Holm"]
    moves = [
        [s.system, number(s.before), number(s.after), number(s.change.value), interval(s.change)]
        for s in check.shifts
    ]
    shift_head = [
        "<system",
        ">log-worth",
        ">with suspects",
        ">change",
        f"{found.level:.0%} interval",
    ]
    return [
        table(head, rows),
        *([table(shift_head, moves)] if moves else []),
        paragraphs([check.verdict, *(f"note: {text}" for text in check.warnings)]),
    ]


def _conjoint(found: StudyExplanation) -> list[str]:
    effects = found.conjoint
    if effects is None:
        return []
    rows = [
        [
            e.attribute,
            e.level,
            number(e.marginal_mean.value, 3),
            number(e.effect.value, 3) if e.effect else "baseline",
            interval(e.effect, 3) if e.effect else "",
            p_value(e.p_value) if e.p_value is not None else "",
        ]
        for e in effects.levels
    ]
    head = ["<attribute", "<level", ">win rate", ">effect", f"{found.level:.0%} interval", ">p"]
    words = (
        "Win rate of clips with the level, and its average marginal effect against the baseline; "
        "causal where levels were assigned at random."
    )
    return [
        table(head, rows),
        paragraphs([words, *(f"note: {text}" for text in effects.warnings)]),
    ]


def _consistency(found: StudyExplanation) -> list[str]:
    c = found.consistency
    if c is None:
        return []
    estimates = {
        "votes for the higher rated clip": c.agreement,
        "of the rater's own ratings": c.own_ratings,
        "Spearman's correlation": c.spearman,
        "Pearson's correlation": c.pearson,
        "without the noise of both": c.disattenuated,
    }
    rows = [[name, number(e.value, 3), interval(e, 3)] for name, e in estimates.items() if e]
    head = ["ratings against votes", ">value", f"{found.level:.0%} interval"]
    return [table(head, rows), paragraphs(f"note: {text}" for text in c.warnings)]
