"""`auralign run` and `auralign quickstart`: recipes into run folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, Verb

if TYPE_CHECKING:
    from auralign.pipeline import Recipe

_SEED = click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
_OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="The run folder.  [default: runs/NAME-seedN]"
)
_RESUME = click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
_FORCE = click.option("--force", is_flag=True, help="Replace an existing run folder.")


@click.command(cls=Verb)
@click.argument("recipe", type=click.Path(path_type=Path))
@_SEED
@_OUT
@_RESUME
@_FORCE
@click.pass_obj
def run(
    console: Console, recipe: Path, seed: int | None, out: Path | None, resume: bool, force: bool
) -> None:
    """Run the stages of RECIPE, a YAML file."""
    from auralign.pipeline import read_recipe

    _run(console, read_recipe(recipe), seed, out, resume, force)


@click.command(cls=Verb)
@click.option(
    "--size", type=click.Choice(["tiny", "small", "full"]), default="full", show_default=True
)
@click.option(
    "--corpus",
    default="espeak",
    show_default=True,
    metavar="espeak|fsdd:PATH",
    help="Synthetic speech, or the Free Spoken Digit Dataset in PATH.",
)
@click.option(
    "--agreement",
    type=click.Choice(["speech", "music"]),
    default="speech",
    show_default=True,
    help="How often two simulated listeners agree: 0.75 or 0.60.",
)
@_SEED
@_OUT
@_RESUME
@_FORCE
@click.pass_obj
def quickstart(
    console: Console,
    size: str,
    corpus: str,
    agreement: str,
    seed: int | None,
    out: Path | None,
    resume: bool,
    force: bool,
) -> None:
    """The main job, end to end: a generator, simulated preferences, a better generator."""
    from auralign.pipeline import packaged_recipe
    from auralign.pipeline.quickstart import with_agreement, with_corpus

    name = "quickstart" if size == "full" else f"quickstart-{size}"
    recipe = with_agreement(with_corpus(packaged_recipe(name), corpus), agreement)
    _run(console, recipe, seed, out, resume, force)


def _run(
    console: Console, recipe: Recipe, seed: int | None, out: Path | None, resume: bool, force: bool
) -> None:
    from auralign.cli.progress import RunProgress
    from auralign.pipeline import run_recipe

    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    out = out or Path("runs") / f"{recipe.name}-seed{recipe.seed}"
    with RunProgress(quiet=console.quiet) as observer:
        result = run_recipe(recipe, out, observer=observer, resume=resume, force=force)
    if "report" in result:
        result["report"] = str(out / result["report"])
    console.result({**result, "out": str(out)}, _summary(result, out))


def _summary(result: dict[str, Any], out: Path) -> str:
    """The last words of a run: the numbers if it got that far, and where to look."""
    lines = []
    if "win_rate" in result:
        low, high = result["win_rate_ci"]
        lines.append(
            f"Simulated listeners prefer the aligned generator in {result['win_rate']:.0%} "
            f"of votes (95 % interval {low:.0%} to {high:.0%}); "
            f"word error {result['wer_before']:.2f} -> {result['wer_after']:.2f}."
        )
    lines.append(f"Listen: {result['report']}" if "report" in result else f"Written to {out}")
    return "\n".join(lines)
