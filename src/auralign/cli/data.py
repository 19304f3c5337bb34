"""`auralign data`: look into a study folder, make one of other people's files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, VerbGroup

if TYPE_CHECKING:
    from auralign.data import StudyFolder

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_SOURCE = click.argument("path", type=click.Path(path_type=Path))
_STUDY = click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The new study."
)
_FORCE = click.option("--force", is_flag=True, help="Replace what is there.")


@click.group(cls=VerbGroup)
def data() -> None:
    """Check and describe study folders, import and export them."""


@data.command()
@_FOLDER
@click.pass_context
def validate(ctx: click.Context, folder: Path) -> None:
    """Name every broken record of the study in DIR (exit code 2 when there is one)."""
    from auralign.data import StudyFolder, validate_study

    console: Console = ctx.obj
    with console.status(f"checking {folder}"):
        problems = validate_study(folder)
    sound = f"{folder}: nothing is broken"
    if not problems and not StudyFolder.open(folder).header.has_audio:
        sound += " (the study has no audio, so none was checked)"
    console.result(
        {"study": folder, "ok": not problems, "problems": problems},
        "\n".join(map(str, problems)) or sound,
    )
    if problems:
        console.say(f"{len(problems)} problem{'s' * (len(problems) > 1)} found")
        ctx.exit(2)


@data.command()
@_FOLDER
@click.pass_obj
def info(console: Console, folder: Path) -> None:
    """Count the prompts, clips and judgements of the study in DIR."""
    from auralign.data import study_info

    counts = study_info(folder)
    console.result(counts, "\n".join(_info_line(*item) for item in counts.items()))


def _info_line(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {count}" for name, count in value.items())
    return f"{key.replace('_', ' '):<26}{'-' if value in (None, '') else value}"


@data.group(name="import", cls=VerbGroup)
def import_() -> None:
    """Make a study folder of judgements in another format."""


@import_.command()
@_SOURCE
@_STUDY
@_FORCE
@click.pass_obj
def aes(console: Console, path: Path, out: Path, force: bool) -> None:
    """The human ratings of audiobox-aesthetics: AES_PAM.jsonl in the folder PATH, or a file."""
    from auralign.data.importers import import_aes

    with console.status(f"reading {path}"):
        study = import_aes(path, out, force=force)
    _imported(console, study)


@import_.command()
@_SOURCE
@_STUDY
@_FORCE
@click.pass_obj
def versa(console: Console, path: Path, out: Path, force: bool) -> None:
    """Scores written by VERSA: the JSON Lines file PATH, or a folder with one for each system."""
    from auralign.data.importers import import_versa

    with console.status(f"reading {path}"):
        study = import_versa(path, out, force=force)
    _imported(console, study)


@import_.command()
@_SOURCE
@_STUDY
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=NAME",
    help="What a column means, such as first=model_a; may be given again.",
)
@click.option("--dimension", default="overall", show_default=True, help="Where no column says it.")
@click.option("--scale", type=(float, float), metavar="LOW HIGH", help="Ends of the rating scale.")
@click.option(
    "--source",
    type=click.Choice(["human", "judge", "metric", "synthetic", "simulated"]),
    default="human",
    show_default=True,
    help="Who answered, where no column says it.",
)
@_FORCE
@click.pass_obj
def csv(
    console: Console,
    path: Path,
    out: Path,
    columns: tuple[str, ...],
    dimension: str,
    scale: tuple[float, float] | None,
    source: str,
    force: bool,
) -> None:
    """Tables of A/B votes or ratings: the CSV, TSV or JSON Lines file PATH, or a folder of them."""
    from auralign.data.importers import import_votes
    from auralign.types import Source

    with console.status(f"reading {path}"):
        study = import_votes(
            path,
            out,
            columns=dict(map(_field_and_column, columns)),
            dimension=dimension,
            scale=scale,
            source=Source(source),
            force=force,
        )
    _imported(console, study)


@import_.command()
@_SOURCE
@_STUDY
@_FORCE
@click.pass_obj
def webmushra(console: Console, path: Path, out: Path, force: bool) -> None:
    """Ratings of webMUSHRA: its mushra.csv at PATH."""
    from auralign.data.importers import import_webmushra

    _imported(console, import_webmushra(path, out, force=force))


@import_.command()
@_SOURCE
@_STUDY
@_FORCE
@click.pass_obj
def p808(console: Console, path: Path, out: Path, force: bool) -> None:
    """Votes of the P.808 toolkit: a votes_per_worker file at PATH."""
    from auralign.data.importers import import_p808

    _imported(console, import_p808(path, out, force=force))


@import_.command(name="label-studio")
@_SOURCE
@_STUDY
@click.option(
    "--field",
    "fields",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Data field of the recording; of pairs the left one, then the right one.",
)
@click.option("--max-rating", default=5, show_default=True, help="Most stars of a rating.")
@_FORCE
@click.pass_obj
def label_studio(
    console: Console, path: Path, out: Path, fields: tuple[str, ...], max_rating: int, force: bool
) -> None:
    """Pairwise choices and ratings of Label Studio: its JSON export at PATH."""
    from auralign.data.importers import import_label_studio

    study = import_label_studio(path, out, fields=fields, max_rating=max_rating, force=force)
    _imported(console, study)


@import_.command()
@_SOURCE
@_STUDY
@click.option(
    "--scale", type=(float, float), required=True, metavar="LOW HIGH", help="Ends of the scale."
)
@_FORCE
@click.pass_obj
def golisten(
    console: Console, path: Path, out: Path, scale: tuple[float, float], force: bool
) -> None:
    """Ratings of GoListen, ACR or MUSHRA: a JSON list of its responses at PATH."""
    from auralign.data.importers import import_golisten

    _imported(console, import_golisten(path, out, scale=scale, force=force))


@data.command()
@_FOLDER
@click.option("--to", "format_", type=click.Choice(["csv"]), default="csv", show_default=True)
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The new table."
)
@click.option(
    "--protocol", type=click.Choice(["pair", "rating"]), help="Where the study has both of them."
)
@_FORCE
@click.pass_obj
def export(
    console: Console, folder: Path, format_: str, out: Path, protocol: str | None, force: bool
) -> None:
    """Write the judgements of the study in DIR as a flat table, which `import csv` reads."""
    from auralign.data.importers import export_csv
    from auralign.types import TrialProtocol

    chosen = TrialProtocol(protocol) if protocol else None
    rows = export_csv(folder, out, protocol=chosen, force=force)
    console.result({"out": out, "rows": rows}, f"Written to {out}: {rows} rows")


def _field_and_column(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not (field and equals and column):
        raise click.BadParameter(f"expected FIELD=NAME, got '{text}'", param_hint="--column")
    return field.strip(), column.strip()


def _imported(console: Console, study: StudyFolder) -> None:
    """Say what came in: the notes on stderr, the counts as the result."""
    from auralign.data import study_info

    console.say(study.header.notes.strip())
    counts = study_info(study.path)
    console.result(
        {"out": study.path, **counts},
        f"Written to {study.path}: {counts['judgements']} judgements by {counts['raters']} raters "
        f"on {counts['clips']} clips of {len(counts['clips_by_system'])} systems",
    )
