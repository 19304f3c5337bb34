"""`auralign sample`: clips of a policy, for each prompt the best of several by a reward."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from auralign.cli.assignments import assignments
from auralign.cli.console import Console, Verb
from auralign.cli.tables import number, paragraphs

_PATH = click.Path(path_type=Path)
_OPTIONS = ("n", "m", "max_loops", "threshold", "abstain")
_OPTIONS_OF_PLAN = ("segment", "look_aheads", "keep", "n_expansions")


@click.command(cls=Verb)
@click.option(
    "--policy",
    metavar="P",
    required=True,
    help="A card (policy.yaml), a folder with one, a .safetensors file of the built-in policy, or "
    "FILE.py:FUNCTION.",
)
@click.option(
    "--prompts",
    metavar="F",
    required=True,
    help="A study folder, prompts.parquet, or a CSV, TSV or JSON Lines file with the column text.",
)
@click.option("--out", type=_PATH, required=True, help="The folder for the clips and their table.")
@click.option(
    "--reward",
    metavar="R",
    help="A signal or SIGNAL.MEASURE, the folder of a reward model, or FILE.py:FUNCTION.  "
    "[default: none, one clip of each prompt]",
)
@click.option("--reward-option", multiple=True, metavar="NAME=VALUE", help="An option of a signal.")
@click.option(
    "--codec",
    metavar="C",
    help="Makes audio of codes: a .npz of the built-in codec, a codec of transformers, or "
    "FILE.py:FUNCTION.",
)
@click.option(
    "--method",
    type=click.Choice(["best-of-n", "best-of-mini-n", "plan"]),
    help="How the reward chooses.  [default: best-of-n]",
)
@click.option("--n", type=int, help="best-of-n: clips of each prompt.  [default: 8]")
@click.option("--m", type=int, help="best-of-mini-n: clips of a loop.  [default: 4]")
@click.option("--max-loops", type=int, help="best-of-mini-n: loops at most.  [default: 4]")
@click.option(
    "--threshold", type=float, help="best-of-mini-n: a score above it ends the loops.  [default: 0]"
)
@click.option(
    "--abstain",
    is_flag=True,
    default=None,
    help="best-of-mini-n: no clip where no score is above the threshold.",
)
@click.option("--segment", type=int, help="plan: frames of a segment.  [default: 8]")
@click.option("--look-aheads", type=int, help="plan: clips that value a prefix.  [default: 4]")
@click.option("--keep", type=int, help="plan: next segments that are kept.  [default: 2]")
@click.option("--n-expansions", type=int, help="plan: prefixes taken apart.  [default: 4]")
@click.option("--temperature", type=float, default=1.0, show_default=True, help="Of sampling.")
@click.option(
    "--device",
    metavar="D",
    help="cpu, cuda, mps, or auto: a GPU where there is one.  [default: auto]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of everything random.")
@click.option("--force", is_flag=True, help="Replace a folder of an earlier `auralign sample`.")
@click.pass_obj
def sample(console: Console, /, out: Path, force: bool, **arguments: Any) -> None:
    """Sample clips and choose: auralign sample --policy P --prompts F --reward R --out DIR."""
    from auralign.data.config import parse
    from auralign.test_time.job import SampleJob, run_sampling

    job = parse(SampleJob, _job(arguments), "auralign sample")
    with console.status("sampling"):
        result = run_sampling(job, out, force=force)
    console.result({**result, "out": out}, _text(result, out))


def _job(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a `SampleJob` that the command line gives."""
    given = {name: value for name, value in arguments.items() if value is not None}
    options = {n: given.pop(n) for n in (*_OPTIONS, *_OPTIONS_OF_PLAN) if n in given}
    reward_options = assignments("--reward-option", given.pop("reward_option"))
    return {**given, "options": options, "reward_options": reward_options}


def _text(result: Mapping[str, Any], out: Path) -> str:
    where = f"Clips: {out / 'clips'}; table: {out / 'candidates.csv'}"
    if result["reward"] is None:
        return paragraphs([f"{result['n_prompts']} clips, one for each prompt.", where])
    n_clips = result["n_prompts"] - result["n_without_clip"]
    lines = [
        f"{result['method']} by {result['reward']}: {n_clips} clips for {result['n_prompts']} "
        f"prompts out of {result['n_candidates']} candidates.",
        f"Mean score {number(result['mean_score_of_chosen'], 3)} of the chosen, "
        f"{number(result['mean_score_of_candidates'], 3)} of all candidates.",
    ]
    if result["n_without_score"]:
        lines.append(f"{result['n_without_score']} candidates could not be scored.")
    if result["method"] == "best-of-n":
        lines.append(f"Divergence from the policy at most {_kl(result):.2f} nats a clip.")
    lines.append("The score that chose the clips flatters them: judge them by another one.")
    return paragraphs([*lines, where])


def _kl(result: Mapping[str, Any]) -> float:
    from auralign.training.guard import best_of_n_kl

    return float(best_of_n_kl(result["options"]["n"]))
