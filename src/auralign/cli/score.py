"""`auralign score`: ask signals about clips, and look signals up."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, VerbGroup
from auralign.cli.score_validate import gate, validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auralign.signals.ask import Request
    from auralign.signals.running.plan import ClipFile
    from auralign.signals.running.runner import Progress, Run

_PATH = click.Path(path_type=Path)
_MEASURE = "clips"


class _ScoreGroup(VerbGroup):
    """A group that measures clips, unless its first word is one of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = args and args[0] in self.commands
        return super().parse_args(ctx, args if known else [_MEASURE, *args])


@click.group(cls=_ScoreGroup)
def score() -> None:
    """Ask signals about clips, and how far they can be trusted."""


score.add_command(validate)
score.add_command(gate)


@score.command(_MEASURE)
@click.argument("paths", nargs=-1, type=_PATH)
@click.option(
    "--signals",
    "names",
    metavar="NAME,...",
    default="offline",
    show_default=True,
    help="Signals and sets of signals.",
)
@click.option("--out", metavar="FILE", type=_PATH, help="The results, JSON Lines.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="SIGNAL.KEY=VALUE",
    help="An option of a signal; may be given again.",
)
@click.option(
    "--reference", metavar="PATH", type=_PATH, help="A recording, or a folder of equal names."
)
@click.option(
    "--text", metavar="TABLE", type=_PATH, help="A table with the columns clip, text and label."
)
@click.option(
    "--study", metavar="DIR", type=_PATH, help="Measure this study's clips and add judgements."
)
@click.option("--table", metavar="FILE", type=_PATH, help="Also write them as .csv or .parquet.")
@click.option("--cache", metavar="FILE", type=_PATH, help="Answers that were given before.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core]")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--list", "list_", is_flag=True, help="List the signals, by set.")
@click.option("--explain", metavar="NAME", help="Say what a signal measures and gets wrong.")
@click.option("--force", is_flag=True, help="Replace what is there, instead of going on with it.")
@click.pass_obj
def clips(console: Console, /, list_: bool, explain: str | None, **settings: Any) -> None:
    """Ask signals about the clips in PATHS (files and folders), or in a study.

    A run that was stopped goes on where it was when it is started again.
    """
    if list_ and explain:
        raise click.UsageError("say either --list or --explain NAME")
    if list_:
        _list(console)
    elif explain:
        _explain(console, explain)
    else:
        _score(console, **settings)


def _list(console: Console) -> None:
    from auralign.cli.score_text import list_text
    from auralign.signals.explain import listing

    signals = listing()
    console.result(signals, list_text(signals))


def _explain(console: Console, name: str) -> None:
    from auralign.signals.explain import explain, record
    from auralign.signals.registry import find

    text = explain(name)
    console.result({**record(find(name)), "text": text}, text)


def _score(
    console: Console,
    *,
    names: str,
    out: Path | None,
    options: tuple[str, ...],
    study: Path | None,
    table: Path | None,
    force: bool,
    paths: tuple[Path, ...],
    reference: Path | None,
    text: Path | None,
    **settings: Any,
) -> None:
    from auralign.cli.score_text import score_text
    from auralign.signals.running.export import check_table, export_results
    from auralign.signals.running.judgements import join_study
    from auralign.signals.running.results import read_results
    from auralign.signals.summary import summarise

    if out is None:
        raise click.UsageError("say with --out FILE where the results go")
    if table:
        check_table(table, force=force)
    requests = _requests(names, options)
    clips = _clips(paths, reference, text, study)
    _tell_licences(console, requests)
    run = _run(console, clips, requests, out, force=force, **settings)
    document: dict[str, Any] = {
        "out": run.out,
        "clips": run.n_clips,
        "answers_reused": run.n_reused,
        "answers_new": run.n_new,
        "measures": summarise(read_results(out)),
    }
    if table:
        document["table"] = {"file": table, "rows": export_results(out, table, force=force)}
    if study:
        document["study"] = join_study(study, out)
    console.result(document, score_text(document))


def _requests(names: str, options: Sequence[str]) -> list[Request]:
    """The signals that are named, each with the options that are given for it."""
    from auralign.signals.ask import Request
    from auralign.signals.registry import select

    signals = [signal.name for signal in select(n.strip() for n in names.split(",") if n.strip())]
    given: dict[str, dict[str, Any]] = {name: {} for name in signals}
    for option in options:
        signal, key, value = _option(option)
        if signal not in given:
            raise click.BadParameter(f"'{signal}' is not asked", param_hint="--option")
        given[signal][key] = value
    return [Request(name, given[name]) for name in signals]


def _option(text: str) -> tuple[str, str, Any]:
    """SIGNAL.KEY=VALUE, the value read as YAML."""
    import yaml

    name, equals, value = text.partition("=")
    signal, dot, key = name.rpartition(".")
    if not (equals and dot and signal and key):
        raise click.BadParameter(f"expected SIGNAL.KEY=VALUE, got '{text}'", param_hint="--option")
    return signal, key, yaml.safe_load(value)


def _clips(
    paths: Sequence[Path], reference: Path | None, text: Path | None, study: Path | None
) -> list[ClipFile]:
    from auralign.data import StudyFolder
    from auralign.signals.running.inputs import clips_at, clips_of

    if bool(paths) == bool(study):
        raise click.UsageError("name either PATHS or a --study")
    if study is None:
        return clips_at(paths, reference=reference, text=text)
    if reference or text:
        raise click.UsageError("a study has its own references and texts: leave the options out")
    return clips_of(StudyFolder.open(study))


def _tell_licences(console: Console, requests: Sequence[Request]) -> None:
    from auralign.signals.licences import restrictive_licence
    from auralign.signals.registry import find

    for request in requests:
        licence = restrictive_licence(find(request.signal))
        if licence:
            console.say(f"{request.signal} is not under a permissive licence ({licence})")


def _run(
    console: Console,
    clips: Sequence[ClipFile],
    requests: Sequence[Request],
    out: Path,
    **settings: Any,
) -> Run:
    from auralign.signals.running.runner import run_signals

    with _bar(console) as show:
        return run_signals(clips, requests, out, progress=show, **settings)


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    """A bar of answers on stderr; nothing with `--quiet` or without a terminal."""
    if console.quiet or not sys.stderr.isatty():
        yield lambda known, asked: None
        return
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress

    with RichProgress(console=RichConsole(stderr=True), transient=True) as bars:
        task = bars.add_task("answers", total=None)
        yield lambda known, asked: bars.update(task, completed=known, total=asked)
