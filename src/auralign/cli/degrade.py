"""`auralign degrade`: ladders of degradations as a study to learn from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, Verb
from auralign.cli.tables import WIDTH, page, table

if TYPE_CHECKING:
    import numpy as np

    from auralign.preferences.ladders import Operation, Recording


@click.command(cls=Verb)
@click.argument("source", metavar="[IN]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--family",
    "families",
    multiple=True,
    metavar="NAME",
    help="A family such as noise, or one operation such as noise/white; may be given again.",
)
@click.option("--all", "all_families", is_flag=True, help="Every family.")
@click.option(
    "--severity",
    "severities",
    multiple=True,
    type=float,
    help="In place of the operation's own; may be given again.",
)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The new study.")
@click.option("--seed", default=0, show_default=True, help="Of everything that is drawn.")
@click.option(
    "--draws",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Ladders of each recording and operation.",
)
@click.option("--align", is_flag=True, help="Find word times of English texts (pocketsphinx).")
@click.option(
    "--join",
    "joined",
    type=click.IntRange(min=2),
    metavar="N",
    help="Join N recordings of a speaker at a time, which gives the times of words and events.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Draw so many of the recordings.")
@click.option(
    "--hold-out",
    "held_out",
    type=float,
    metavar="SHARE",
    help="Of the texts, for validation, and as many for testing.",
)
@click.option("--weak", is_flag=True, help="Also pair neighbouring rungs, which may be ties.")
@click.option("--own-lengths", is_flag=True, help="Do not continue shorter clips with room tone.")
@click.option("--force", is_flag=True, help="Replace the study that is there.")
@click.option("--list", "list_families", is_flag=True, help="List the families and what they need.")
@click.pass_obj
def degrade(
    console: Console,
    source: Path | None,
    families: tuple[str, ...],
    all_families: bool,
    severities: tuple[float, ...],
    out: Path | None,
    seed: int,
    draws: int,
    align: bool,
    joined: int | None,
    limit: int | None,
    held_out: float | None,
    weak: bool,
    own_lengths: bool,
    force: bool,
    list_families: bool,
) -> None:
    """Degrade the recordings at IN step by step, and write the pairs that follow from it.

    IN is an audio file, a folder of them or a study folder.
    """
    import numpy as np

    from auralign.preferences.ladders import OPERATIONS, Settings, about_operation, write_ladders

    if list_families:
        console.result([about_operation(o) for o in OPERATIONS.values()], _listing())
        return
    if source is None or out is None:
        raise click.UsageError("say what to degrade and where to write it: IN and --out DIR")
    chosen = _operations(families, all_families, severities)
    with console.status(f"degrading {source}"):
        rng = np.random.default_rng(seed)
        pool = _recordings(source, align, joined, held_out, rng)
        drawn = sorted(rng.permutation(len(pool))[:limit])
        settings = Settings(seed, severities or None, draws, weak, equal_lengths=not own_lengths)
        recordings = [pool[i] for i in drawn]
        manifest = write_ladders(out, recordings, chosen, settings, pool=pool, force=force)
    _say_skipped(console, manifest)
    document = {key: value for key, value in manifest.items() if key != "items"}
    console.result({"out": out, **document}, _summary(out, manifest))


def _operations(
    families: tuple[str, ...], all_families: bool, severities: tuple[float, ...]
) -> tuple[Operation, ...]:
    from auralign.preferences.ladders import FAMILIES, operations

    if all_families == bool(families):
        raise click.UsageError("say either --family NAME or --all")
    chosen = operations(FAMILIES if all_families else families)
    if severities and len({o.knob for o in chosen}) > 1:
        raise click.UsageError(
            "--severity needs operations with one knob, such as --family "
            f"{chosen[0].id}: these have {', '.join(dict.fromkeys(o.knob for o in chosen))}"
        )
    return chosen


def _recordings(
    source: Path,
    align: bool,
    joined: int | None,
    held_out: float | None,
    rng: np.random.Generator,
) -> list[Recording]:
    from auralign.preferences import ladders

    recordings = ladders.read_recordings(source)
    if align:
        recordings = ladders.with_word_times(recordings)
    if joined is not None:
        recordings = ladders.join_recordings(recordings, joined, rng=rng)
    return recordings if held_out is None else ladders.hold_out(recordings, held_out, rng=rng)


def _say_skipped(console: Console, manifest: Mapping[str, Any]) -> None:
    """One line for each operation and severity: how often it was left out, and the first reason."""
    reasons: dict[tuple[str, float | None], list[str]] = {}
    for skipped in manifest["skipped"]:
        key = skipped["operation"], skipped["severity"]
        reasons.setdefault(key, []).append(skipped["reason"])
    for (operation, severity), given in reasons.items():
        what = "" if severity is None else f"{operation} {severity:g}: "
        console.say(f"left out {len(given)} x {what}{given[0]}")


def _summary(out: Path, manifest: Mapping[str, Any]) -> str:
    clips: dict[str, set[str]] = {}
    for item in manifest["items"]:
        clips.setdefault(item["operation"], set()).add(item["clip_id"])
    rows = [
        (o["id"], str(len(clips[o["id"]])), o["knob"], o["dimension"])
        for o in manifest["operations"]
        if o["id"] in clips
    ]
    written = (
        f"Written to {out}: {manifest['n_clips']} clips of {manifest['n_prompts']} recordings, "
        f"{manifest['n_pairs']} pairs"
    )
    return page(table(("operation", ">clips", "severity", "dimension"), rows), written)


def _listing() -> str:
    from auralign.preferences.ladders import FAMILIES, operations

    return "\n\n".join(
        "\n".join([family, *map(_about, operations([family]))]) for family in FAMILIES
    )


def _about(operation: Operation) -> str:
    severities = ", ".join(f"{severity:g}" for severity in operation.severities)
    needs = f"; needs {operation.needs}" if operation.needs else ""
    line = f"  {operation.id}: {operation.summary}; {operation.knob}: {severities}{needs}"
    return textwrap.fill(line, WIDTH, subsequent_indent=" " * 6)
