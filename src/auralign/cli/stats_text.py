"""What `auralign stats` prints: tables, and the sentences that belong next to the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from auralign.cli.tables import interval, number, p_value, page, paragraphs, table

if TYPE_CHECKING:
    from auralign.stats.planning.pilot import PowerCurve
    from auralign.stats.planning.study_size import StudySize
    from auralign.stats.studies import (
        PairByGroup,
        RankedItem,
        StudyAgreement,
        StudyRanking,
        StudyTests,
    )


def ranking_text(ranking: StudyRanking) -> str:
    r = ranking
    several = len({row.block for row in r.items}) > 1
    head = [
        ">#",
        f"<{r.item}",
        f">{_value_name(r)}",
        f"{r.level:.0%} interval",
        ">places",
        "letters",
    ]
    rows = [[*([row.block] if several else []), *_ranking_row(row)] for row in r.items]
    letters = (
        f"Items that share a letter are not told apart (Holm, {1 - r.level:.0%} for all pairs)."
    )
    return page(
        paragraphs(
            [
                f"{r.dimension} in {r.study}: {r.model}, {r.unit}",
                f"{r.n} {r.protocol} judgements on {r.n_prompts} prompts{_by(r.n_raters, r.n)}",
            ]
        ),
        table([*(["<prompt"] if several else []), *head, ">n", ">prompts"], rows),
        paragraphs(
            [
                *([letters] if r.differences else []),
                f"Intervals: {r.intervals}.",
                *_fit_sentences(r.details),
                *_model_sentences(r),
            ]
        ),
        notes=r.warnings,
    )


def _value_name(ranking: StudyRanking) -> str:
    if ranking.protocol not in ("rating", "thumbs"):
        return "log-worth"
    return "effect" if ranking.unit.startswith("effect") else "mean"


def _by(n_raters: int, n: int) -> str:
    return f" by {n_raters} raters" if n_raters < n else ", every one by a rater of its own"


def _ranking_row(row: RankedItem) -> list[str]:
    return [
        str(row.place),
        row.item,
        number(row.value.value),
        interval(row.value),
        "-" if row.places is None else f"{row.places[0]}-{row.places[1]}",
        row.letters,
        str(row.n),
        str(row.n_prompts),
    ]


def _fit_sentences(details: Any) -> list[str]:
    outcomes = details.get("outcomes")
    effect, error = details.get("order_effect"), details.get("order_effect_error")
    listed = ", ".join(f"{name} {n}" for name, n in outcomes.items()) if outcomes else ""
    return [
        *([f"Answers as presented: {listed}."] if listed else []),
        *(
            [
                f"Being presented first adds {number(effect)} logits (standard error "
                f"{number(error)}, answers taken as independent)."
            ]
            if effect is not None
            else []
        ),
    ]


def _model_sentences(ranking: StudyRanking) -> list[str]:
    model = ranking.contests.model if ranking.contests else None
    if model is None:
        return []
    fit, cycles = model.fit, model.cycles
    sentences = [
        f"Fit of one scale: Pearson's X2 {fit.pearson:.1f} on {fit.df}, {_p(fit.pearson_p)}."
    ]
    if cycles is not None:
        share = 100 * cycles.cyclic_share
        sentences.append(f"Cycles: {share:.1f} % of the preferences, {_p(cycles.p_value)}.")
    return sentences


def _p(p: float) -> str:
    return f"p {p_value(p)}" if p == p else "no p-value"


def agreement_text(found: StudyAgreement) -> str:
    rows = [
        [c.name, number(c.estimate.value, 3), interval(c.estimate, 3), c.meaning]
        for c in found.coefficients
        if c.estimate
    ]
    missing = [f"no {c.name}: {c.reason}" for c in found.coefficients if c.estimate is None]
    reason = [f"no agreement by length: {found.length_reason}"] if found.length_reason else []
    unit = "clips" if found.protocol == "rating" else "pairs of clips"
    return page(
        paragraphs(
            [
                f"{found.dimension} in {found.study}: do raters agree?",
                f"{found.n} {found.protocol} judgements of {found.n_units} {unit}"
                f"{_by(found.n_raters, found.n)}",
            ]
        ),
        table(["coefficient", ">value", f"{found.level:.0%} interval", "meaning"], rows),
        *_length_table(found),
        notes=[*missing, *reason, *found.warnings],
    )


def _length_table(found: StudyAgreement) -> list[str]:
    if found.by_length is None:
        return []
    rows = [
        [
            f"{bin_.low_s:.2f} to {bin_.high_s:.2f}",
            number(bin_.agreement.value, 3),
            interval(bin_.agreement, 3),
            str(bin_.agreement.n),
        ]
        for bin_ in found.by_length.bins
    ]
    slope = found.by_length.slope_per_doubling
    sentence = f"With each doubling of the length: {number(slope.value, 3)} ({interval(slope, 3)})."
    head = [">seconds", ">agreement", f"{found.level:.0%} interval", ">n"]
    return [table(head, rows), paragraphs([sentence])]


def tests_text(found: StudyTests) -> str:
    effect = "win rate" if found.protocol == "pair" else "median difference"
    rows = [
        [
            t.first,
            t.second,
            number(t.effect.value),
            interval(t.effect),
            str(t.test.n),
            p_value(t.test.p_value),
            p_value(t.p_adjusted),
        ]
        for t in found.tests
    ]
    head = ["<first", "<second", f">{effect}", f"{found.level:.0%} interval", ">n", ">p"]
    methods = dict.fromkeys(t.test.method.partition(" of ")[0].split(",")[0] for t in found.tests)
    return page(
        paragraphs(
            [
                f"{found.dimension} in {found.study}: do systems differ?",
                f"{found.family}, adjusted by {found.adjustment}; one observation is a "
                f"{found.block}",
            ]
        ),
        *_omnibus(found),
        table([*head, ">p adjusted"], rows),
        paragraphs([f"Tests: {'; '.join(methods)}."]),
        *([_group_table(found), _group_words(found.groups)] if found.groups else []),
        notes=found.warnings,
    )


def _group_table(found: StudyTests) -> str:
    rows = [
        [pair.first, pair.second, group, number(rate.value), interval(rate), str(rate.n)]
        for pair in found.groups
        for group, rate in pair.win_rates.groups.items()
    ]
    head = ["<first", "<second", "<listeners", ">win rate", f"{found.level:.0%} interval", ">n"]
    return table(head, rows)


def _group_words(pairs: Sequence[PairByGroup]) -> str:
    sentences = [
        f"{pair.first} against {pair.second}: lowest with {found.inequality.worst_group}, gap "
        f"{number(found.gap)}, p {p_value(found.gap_test.p_value)}, adjusted "
        f"{p_value(pair.p_adjusted)}."
        for pair in pairs
        for found in [pair.win_rates]
    ]
    remarks = dict.fromkeys(text for pair in pairs for text in pair.win_rates.warnings)
    method = (
        "Groups: the lowest win rate first, intervals for all groups of a pair together "
        "(Bonferroni)."
    )
    return paragraphs([*sentences, method, *(f"note: {text}" for text in remarks)])


def _omnibus(found: StudyTests) -> list[str]:
    if found.omnibus is None:
        return [paragraphs([f"No test of all systems at once: {found.omnibus_reason}."])]
    o = found.omnibus
    return [paragraphs([f"{o.method}: {o.statistic:.2f}, p {p_value(o.p_value)}."])]


def size_text(size: StudySize) -> str:
    rows = [
        ["listeners to recruit", str(size.listeners)],
        ["listeners to keep", str(size.kept_listeners)],
        ["judgements to collect", str(size.judgements)],
        ["worth as many independent ones", number(size.independent, 1)],
        ["design effect", number(size.design_effect)],
        [f"power at alpha {size.alpha:g}", number(size.power, 3)],
    ]
    formulas = (f"{name}: {formula}" for name, formula in size.formulas.items())
    return page(table(["a study needs", ">"], rows), paragraphs(formulas), notes=size.warnings)


def curve_text(curve: PowerCurve) -> str:
    columns = (curve.listeners, curve.power, curve.monte_carlo_error, curve.without_fit)
    rows = [
        [str(listeners), number(power, 3), number(error, 3), str(lost)]
        for listeners, power, error, lost in zip(*columns, strict=True)
    ]
    return page(
        f"{curve.judgements_per_listener} judgements of each listener",
        table([">listeners", ">power", ">Monte Carlo error", ">without a fit"], rows),
        paragraphs([f"{curve.method}."]),
        notes=curve.warnings,
    )
