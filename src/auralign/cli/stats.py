"""`auralign stats`: rank, agree, test, plan and explain, from a study folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, VerbGroup
from auralign.cli.explanation_text import explanation_text
from auralign.cli.raters_text import raters_text
from auralign.cli.standards_text import standard_text
from auralign.cli.stats_text import (
    agreement_text,
    curve_text,
    ranking_text,
    size_text,
    tests_text,
)

if TYPE_CHECKING:
    from numpy.random import Generator

    from auralign.stats.studies import StudyStandard, StudyTests
    from auralign.stats.studies.standards import Standard

Command = Callable[..., Any]

_STUDY = click.argument("study", type=click.Path(path_type=Path))


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """The options in the order in which help lists them."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_SELECTION = _options(
    click.option("--dimension", required=True, help="What was judged, such as overall."),
    click.option(
        "--condition", metavar="TEXT", help="Only prompts of this condition, such as music."
    ),
)
_PROTOCOL = click.option(
    "--protocol",
    type=click.Choice(["pair", "rating", "ranking", "best_worst", "thumbs"]),
    help="Which answers to take where the study has several kinds.",
)
_LEVEL = click.option(
    "--level", type=float, default=0.95, show_default=True, help="Confidence of intervals."
)
_SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of resampling."
)
_OUT = _options(
    click.option(
        "--out",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Also write plots (SVG), the result (JSON) and a page.",
    ),
    click.option("--force", is_flag=True, help="Replace what is at --out."),
)


@click.group(cls=VerbGroup)
def stats() -> None:
    """Preference statistics of a study: rankings, agreement, tests, power, raters, reasons."""


@stats.command()
@_STUDY
@_SELECTION
@_PROTOCOL
@click.option(
    "--item",
    type=click.Choice(["system", "clip"]),
    default="system",
    show_default=True,
    help="What to rank; clips are compared within their prompts.",
)
@click.option(
    "--ties",
    type=click.Choice(["half", "davidson", "rao_kupper"]),
    default="half",
    show_default=True,
    help="Count a tie as half a win, or model it.",
)
@click.option("--order-effect", is_flag=True, help="Also fit what being presented first adds.")
@click.option(
    "--prior",
    type=float,
    default=0.0,
    show_default=True,
    help="Wins and losses of each item against a ghost item; 0.5 makes every worth finite.",
)
@click.option(
    "--severity",
    "ratings",
    flag_value="severity",
    default="mean",
    help="Of ratings: take out how severe each rater is, and trust steady raters more.",
)
@click.option(
    "--ordinal",
    "ratings",
    flag_value="ordinal",
    help="Of ratings: take only their order, with effects of raters and items.",
)
@click.option(
    "--cluster",
    type=click.Choice(["auto", "rater", "prompt", "both", "none"]),
    default="auto",
    show_default=True,
    help="What answers move together in; auto: whatever repeats.",
)
@_LEVEL
@_SEED
@_OUT
@click.pass_obj
def fit(
    console: Console, /, study: Path, seed: int, out: Path | None, force: bool, **options: Any
) -> None:
    """Rank the systems or clips of STUDY, with intervals."""
    import numpy as np

    from auralign.stats.studies import rank_study

    with console.status(f"reading {study}"):
        ranking = rank_study(study, rng=np.random.default_rng(seed), **options)
    _show(console, ranking, ranking_text, out, force)


@stats.command()
@_STUDY
@_SELECTION
@click.option("--protocol", type=click.Choice(["pair", "rating"]), help="Which answers to take.")
@_LEVEL
@_SEED
@_OUT
@click.pass_obj
def agreement(
    console: Console, /, study: Path, seed: int, out: Path | None, force: bool, **options: Any
) -> None:
    """How far the raters of STUDY agree, with each other and with themselves."""
    import numpy as np

    from auralign.stats.studies import study_agreement

    with console.status(f"reading {study}"):
        found = study_agreement(study, rng=np.random.default_rng(seed), **options)
    _show(console, found, agreement_text, out, force)


@stats.command()
@_STUDY
@_SELECTION
@click.option("--protocol", type=click.Choice(["pair", "rating"]), help="Which answers to take.")
@click.option(
    "--between", nargs=2, metavar="A B", help="Only these two systems.  [default: all pairs]"
)
@click.option(
    "--block",
    type=click.Choice(["auto", "rater", "prompt"]),
    default="auto",
    show_default=True,
    help="What counts as one observation of ratings.",
)
@click.option(
    "--adjustment",
    type=click.Choice(["holm", "bh"]),
    default="holm",
    show_default=True,
    help="For the number of tests: Holm's for claims, Benjamini-Hochberg's for exploring.",
)
@click.option(
    "--groups",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="Also compare groups of listeners: a table with the columns 'rater' and 'group'.",
)
@click.option(
    "--standard",
    type=click.Choice(["mushra", "acr", "cmos"]),
    help="Analyse as ITU-R BS.1534-3 or ITU-T P.800 say, instead of testing pairs.",
)
@click.option("--reference", metavar="SYSTEM", help="Of mushra (the hidden one) and cmos.")
@click.option(
    "--anchor",
    "anchors",
    metavar="SYSTEM",
    multiple=True,
    help="Of mushra, the best first; again for more.",
)
@click.option(
    "--rules",
    type=click.Choice(["BS.1534-3", "MPEG-H", "none"]),
    help="Whom mushra leaves out after the test.  [default: BS.1534-3]",
)
@_LEVEL
@_SEED
@_OUT
@click.pass_obj
def test(
    console: Console,
    /,
    study: Path,
    standard: Standard | None,
    seed: int,
    out: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Test whether the systems of STUDY differ, with p-values adjusted for all pairs.

    With --standard, analyse them as that standard says: scores with its intervals, post-screening,
    and comparisons of systems.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    if standard is None:
        with console.status(f"reading {study}"):
            found = _pairs_of_systems(study, options, rng)
        _show(console, found, tests_text, out, force)
    else:
        with console.status(f"reading {study}"):
            analysed = _by_standard(study, standard, options, rng)
        _show(console, analysed, standard_text, out, force)


_OF_A_STANDARD = ("reference", "anchors", "rules")
_OF_PAIRS = ("protocol", "between", "block", "adjustment", "groups")


def _pairs_of_systems(study: Path, options: dict[str, Any], rng: Generator) -> StudyTests:
    from auralign.data.importers import read_rater_groups
    from auralign.stats.studies import study_tests

    _refuse(_OF_A_STANDARD, "belongs to a --standard")
    chosen = {name: value for name, value in options.items() if name not in _OF_A_STANDARD}
    table = chosen.pop("groups")
    return study_tests(study, **chosen, groups=read_rater_groups(table) if table else None, rng=rng)


def _by_standard(
    study: Path, standard: Standard, options: dict[str, Any], rng: Generator
) -> StudyStandard:
    from auralign.stats.studies import study_by_standard

    _refuse(_OF_PAIRS, "has no meaning with a --standard")
    chosen = {name: value for name, value in options.items() if name not in _OF_PAIRS}
    return study_by_standard(study, standard=standard, **chosen, rng=rng)


@stats.command()
@_STUDY
@_SELECTION
@click.option("--too-fast", type=float, metavar="SECONDS", help="An answer below this is too fast.")
@click.option(
    "--least-pass-rate",
    type=float,
    default=0.7,
    show_default=True,
    help="Of gold and trap trials; the interval has to reach it.",
)
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Of tests of raters.")
@click.option(
    "--groups",
    "n_groups",
    type=click.IntRange(min=1),
    metavar="K",
    help="Also divide raters into K groups who prefer different systems.",
)
@_LEVEL
@_SEED
@_OUT
@click.pass_obj
def raters(
    console: Console,
    /,
    study: Path,
    too_fast: float | None,
    least_pass_rate: float,
    alpha: float,
    seed: int,
    out: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """What speaks for and against each rater of STUDY; flags with reasons, removes nobody."""
    import numpy as np

    from auralign.stats.raters.quality import QualityRules
    from auralign.stats.studies import study_raters

    rules = QualityRules(least_pass_rate=least_pass_rate, too_fast_s=too_fast, alpha=alpha)
    with console.status(f"reading {study}"):
        found = study_raters(study, rules=rules, rng=np.random.default_rng(seed), **options)
    _show(console, found, raters_text, out, force)


@stats.command()
@_STUDY
@_SELECTION
@click.option(
    "--attributes",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="Numbers about clips or systems: a table with a column 'clip' or 'system'.",
)
@click.option(
    "--conjoint",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="Levels of a factorial design: such a table with a column for each attribute.",
)
@_LEVEL
@_SEED
@_OUT
@click.pass_obj
def explain(
    console: Console,
    /,
    study: Path,
    attributes: Path | None,
    conjoint: Path | None,
    seed: int,
    out: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """What explains the votes of STUDY: attributes of clips, loudness, duration, the order."""
    import numpy as np

    from auralign.data.importers import read_attributes, read_levels
    from auralign.stats.studies import explain_study

    given = read_attributes(attributes) if attributes else None
    levels = read_levels(conjoint) if conjoint else None
    with console.status(f"reading {study}"):
        found = explain_study(
            study, attributes=given, levels=levels, rng=np.random.default_rng(seed), **options
        )
    _show(console, found, explanation_text, out, force)


@stats.command()
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("--effect", type=float, help="Win rate to detect, such as 0.60: two systems, pairs.")
@click.option("--gap", type=float, help="Or a difference of log-worths, in logits, of --systems.")
@click.option("--difference", type=float, help="Or a difference of mean ratings, with --sd.")
@click.option("--sd", type=float, help="Standard deviation of single ratings.")
@click.option("--systems", type=click.IntRange(min=2), default=2, show_default=True)
@click.option(
    "--listeners-judge", type=click.IntRange(min=1), required=True, help="Judgements of each."
)
@click.option("--icc", type=float, default=0.0, show_default=True, help="Of one listener's votes.")
@click.option("--tie-rate", type=float, default=0.0, show_default=True)
@click.option("--rejected", type=float, default=0.0, show_default=True, help="Share of listeners.")
@click.option("--alpha", type=float, default=0.05, show_default=True)
@click.option("--power", type=float, default=0.8, show_default=True)
@click.option("--dimension", help="Of the pilot STUDY.")
@click.option("--between", nargs=2, metavar="A B", help="The two systems of the pilot STUDY.")
@click.option("--listeners", type=int, multiple=True, help="To simulate; may be given again.")
@click.option("--simulations", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--assurance", is_flag=True, help="Allow for the pilot's own uncertainty.")
@_SEED
@click.pass_obj
def power(console: Console, /, study: Path | None, **options: Any) -> None:
    """How many listeners a coming study needs: by formula, or simulated from a pilot STUDY.

    By formula, give one of --effect, --gap and --difference. With STUDY, give --dimension,
    --between and --listeners: the power to tell two systems apart in studies like it.
    """
    if study is None:
        _by_formula(console, options)
    else:
        _by_simulation(console, study, options)


_OF_A_PILOT = ("dimension", "between", "listeners", "simulations", "assurance", "seed")
_OF_A_FORMULA = ("effect", "gap", "difference", "sd", "systems", "icc", "tie_rate", "rejected")


def _by_formula(console: Console, options: dict[str, Any]) -> None:
    from auralign.stats.studies import plan_study

    _refuse(("dimension", "between", "listeners", "assurance"), "needs a pilot STUDY")
    size = plan_study(**{k: v for k, v in options.items() if k not in _OF_A_PILOT})
    console.result(size, size_text(size))


def _by_simulation(console: Console, study: Path, options: dict[str, Any]) -> None:
    import numpy as np

    from auralign.stats.studies import power_from_pilot

    _refuse((*_OF_A_FORMULA, "power"), "is for formulas, without a STUDY")
    for name in ("dimension", "between", "listeners"):
        if not options[name]:
            raise click.UsageError(f"with a pilot STUDY, --{name} is needed")
    with console.status(f"simulating {options['simulations']} studies"):
        curve = power_from_pilot(
            study,
            options["dimension"],
            options["between"],
            listeners=options["listeners"],
            judgements_per_listener=options["listeners_judge"],
            n_simulations=options["simulations"],
            alpha=options["alpha"],
            assurance=options["assurance"],
            rng=np.random.default_rng(options["seed"]),
        )
    console.result(curve, curve_text(curve))


def _refuse(names: tuple[str, ...], why: str) -> None:
    """A usage error for an option that was given and has no meaning here."""
    context = click.get_current_context()
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option.opts[0]} {why}")


def _show(
    console: Console, found: Any, text: Callable[[Any], str], out: Path | None, force: bool
) -> None:
    """The result on stdout and, where asked for, as a page with plots."""
    if out is not None:
        from auralign.cli.stats_pages import write_page

        write_page(found, out, force=force)
    console.result(found, text(found))
    if out is not None:
        console.say(f"Plots and page: {out / 'index.html'}")
