"""The methods card: how a test was done, in the words that a paper or a reviewer asks for.

Nothing in it says who wins. The headings follow what changes the outcome of a listening test
(arXiv 2306.02044): panel, recruitment, screening, instructions, loudness, devices, order and
statistics; the hash of the settings says of which test they are true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select

import auralign
from auralign.listen.outcome.progress import progress
from auralign.listen.outcome.results import PEEK, failed_rules
from auralign.listen.outcome.screening import RULES
from auralign.listen.protocols.questions import Question
from auralign.listen.store.tables import AuditRow, SessionRow, StimulusRow
from auralign.listen.study import ListenStudy

templates = Environment(
    loader=PackageLoader("auralign.listen.outcome"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of a card, with lines of a name and what it says."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class MethodsCard:
    """Everything about how a test was done."""

    study: str
    simulated: bool
    sections: tuple[Section, ...]


def methods_card(study: ListenStudy) -> MethodsCard:
    """The card as of now; counts of screening are those of the verdicts that were given last."""
    sittings = study.database.read(lambda db: list(db.execute(select(SessionRow)).scalars()))
    sections = {
        "Test": _test(study, sittings),
        "Panel": _panel(study, sittings),
        "Recruitment": _recruitment(study),
        "Screening": _screening(study),
        "Instructions": _instructions(study),
        "Clips and loudness": _clips(study),
        "Playback and devices": _playback(study, sittings),
        "Order": _order(study),
        "Statistics": _statistics(study),
    }
    made = tuple(Section(title, tuple(rows)) for title, rows in sections.items())
    return MethodsCard(study.settings.name, study.simulated, made)


def to_html(card: MethodsCard) -> str:
    """A page by itself, without scripts; whatever was written in settings is shown as text."""
    return templates.get_template("card.html.jinja").render(card=card)


def to_markdown(card: MethodsCard) -> str:
    """One table for each section."""
    lines = [f"# Methods: {_cell(card.study)}", ""]
    if card.simulated:
        lines += ["All listeners are simulated: programs, not people.", ""]
    for section in card.sections:
        lines += [f"## {section.title}", "", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {_cell(said)} |" for name, said in section.rows]
        lines += [""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text in one cell: no sign that Markdown or HTML would take for its own."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return "<br>".join(safe.splitlines())


def _test(study: ListenStudy, sittings: Sequence[SessionRow]) -> Iterator[Row]:
    settings = study.settings
    yield "type", settings.test.type
    for question in settings.test.questions():
        yield f"question: {question.id}", _asked(question)
    yield "language", settings.language
    if sittings:
        begun = [sitting.consented_at for sitting in sittings]
        yield "listeners came", f"{_day(min(begun))} to {_day(max(begun))}"
    yield "hash of the settings", f"SHA-256 {settings.hash}"
    yield "seed", str(settings.seed)
    yield "made with", f"auralign {auralign.__version__}"


def _asked(question: Question) -> str:
    offered = [option.label for option in question.options]
    if question.scale is not None:
        offered = [f"{question.scale.low:g} to {question.scale.high:g}", *question.scale.bands]
    return f"{question.text} ({', '.join(offered)})" if offered else question.text


def _panel(study: ListenStudy, sittings: Sequence[SessionRow]) -> Iterator[Row]:
    now = progress(study)
    yield "listeners", "simulated (programs)" if study.simulated else "people"
    yield "began", str(len(sittings))
    for state, n in sorted(now.sittings.items()):
        yield state.replace("_", " "), str(n)
    yield "answers", str(now.answers)
    yield "came back after an interruption", str(sum(sitting.resumes > 0 for sitting in sittings))
    yield "languages of browsers", _counted(sitting.locale for sitting in sittings)


def _recruitment(study: ListenStudy) -> Iterator[Row]:
    settings = study.settings
    yield "platform", settings.recruitment.platform
    yield "most listeners", _limit(settings.design.max_listeners)
    yield "consent", f"version {settings.consent.version}: {settings.consent.text.strip()}"


def _screening(study: ListenStudy) -> Iterator[Row]:
    checks, failed = study.settings.checks, failed_rules(study)
    if checks.headphones is not None:
        check = checks.headphones
        yield (
            "headphone check",
            f"{check.kind}: {check.needed} of {check.trials} right, {check.attempts} attempts",
        )
    for rule in RULES:
        n = failed.get(rule.name, 0)
        yield f"rule {rule.name}, version {rule.version}", f"{n} listeners marked"
    limits = study.settings.screening.model_dump()
    yield "limits", ", ".join(f"{name} {value:g}" for name, value in limits.items())
    yield "consequence", "marked listeners stay in the data; who analyses leaves them out by name"


def _instructions(study: ListenStudy) -> Iterator[Row]:
    yield "text", study.settings.instructions.strip()
    yield "training trials", str(study.settings.design.training)


def _clips(study: ListenStudy) -> Iterator[Row]:
    clips, rows = study.settings.clips, list(study.plan.stimuli.values())
    judged = [row for row in rows if row.role != "headphones"]
    for role, group in (("systems", "system"), ("references", "reference"), ("anchors", "anchor")):
        names = sorted({row.system for row in judged if row.role == group})
        if names:
            yield role, f"{len(names)}: {', '.join(names)}"
    yield "prompts", str(len({row.prompt_id for row in judged}))
    yield "clips", f"{len(judged)}, at {clips.sample_rate} Hz"
    yield "length", _range((row.sound_s for row in judged), "s")
    target = "none" if clips.target_lufs is None else f"{clips.target_lufs:g} LUFS (BS.1770)"
    yield "loudness target", f"{target}, by gain alone, true peak below {clips.peak_dbtp:g} dBTP"
    yield "loudness as it came", _range((row.loudness_lufs for row in judged), "LUFS")
    yield "loudness as played", _range(map(_loudness_as_played, judged), "LUFS")
    yield "padded to equal length", "yes" if clips.equal_length else "no"


def _loudness_as_played(row: StimulusRow) -> float | None:
    return None if row.loudness_lufs is None else row.loudness_lufs + row.gain_db


def _playback(study: ListenStudy, sittings: Sequence[SessionRow]) -> Iterator[Row]:
    playback = study.settings.playback
    yield "share of each clip to be heard", f"{playback.must_listen:g} ({playback.if_unheard})"
    yield "switching", "from the beginning" if playback.restart else "at the same position"
    yield "fades", f"raised cosine, {playback.fade_ms:g} ms"
    for name in sorted({name for sitting in sittings for name in sitting.device}):
        said = (str(sitting.device[name]) for sitting in sittings if name in sitting.device)
        yield f"device: {name}", _counted(said)


def _order(study: ListenStudy) -> Iterator[Row]:
    design = study.settings.design
    yield "drawn", "by the server, stored before a trial is shown; least answered first"
    yield "balance", "every order of a condition equally often (Latin square; both sides of a pair)"
    yield "main trials of a listener", str(design.trials)
    yield "repeats, gold, traps", f"{design.repeats}, {design.gold}, {design.traps}"
    yield "breaks", f"offered every {design.rest_every} trials" if design.rest_every else "none"


def _statistics(study: ListenStudy) -> Iterator[Row]:
    now, query = progress(study), select(AuditRow.at).where(AuditRow.what == PEEK)
    looks = study.database.read(lambda db: db.execute(query).scalars().all())
    yield "conditions", str(now.conditions)
    yield "answers for each", f"{now.fewest} to {now.most}, wanted {_limit(now.wanted)}"
    yield "looks at interim results", f"{len(looks)}" if looks else "none"
    yield "intervals", "over listeners, because answers of one listener are not independent"


def _counted(values: Iterable[str]) -> str:
    counts = Counter(value or "not told" for value in values)
    return ", ".join(f"{value} ({n})" for value, n in counts.most_common()) or "none yet"


def _range(values: Iterable[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    return f"{min(known):.2f} to {max(known):.2f} {unit}" if known else "not measurable"


def _limit(n: int | None) -> str:
    return "no limit" if n is None else str(n)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
