"""`auralign data`: look into a study folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from auralign.cli.console import Console, VerbGroup

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group(cls=VerbGroup)
def data() -> None:
    """Check and describe study folders."""


@data.command()
@_FOLDER
@click.pass_context
def validate(ctx: click.Context, folder: Path) -> None:
    """Name every broken record of the study in DIR (exit code 2 when there is one)."""
    from auralign.data import validate_study

    console: Console = ctx.obj
    with console.status(f"checking {folder}"):
        problems = validate_study(folder)
    console.result(
        {"study": folder, "ok": not problems, "problems": problems},
        "\n".join(map(str, problems)) or f"{folder}: nothing is broken",
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
