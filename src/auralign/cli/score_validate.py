"""`auralign score validate` and `gate`: how far signals can be trusted in a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.console import Console, Verb

if TYPE_CHECKING:
    from auralign.evaluation.reward_gate.rewards_under_test import RewardUnderTest

Command = Callable[..., Any]

_PATH = click.Path(path_type=Path)
_SELECTION = (
    click.option(
        "--study", metavar="DIR", type=_PATH, required=True, help="A study with judgements."
    ),
    click.option("--dimension", help="What was judged.  [default: overall, or the only one]"),
    click.option(
        "--protocol",
        type=click.Choice(["pair", "rating", "ranking", "best_worst", "thumbs"]),
        help="Which answers to take where the study has several kinds.",
    ),
    click.option("--condition", metavar="TEXT", help="Only prompts of this condition."),
    click.option(
        "--split",
        type=click.Choice(["train", "validation", "test"]),
        help="Only prompts of this split, such as those that a model was not trained on.",
    ),
    click.option(
        "--level", type=float, default=0.95, show_default=True, help="Confidence of intervals."
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all draws."
    ),
)


def _selection(command: Command) -> Command:
    for option in reversed(_SELECTION):
        command = option(command)
    return command


@click.command(cls=Verb)
@_selection
@click.option(
    "--scores",
    metavar="FILE",
    type=_PATH,
    help="Results of `auralign score`.  [default: those that were added to the study]",
)
@click.option(
    "--attributes",
    metavar="TABLE",
    type=_PATH,
    help="Further measures, more is better: a table with a column 'clip' or 'system'.",
)
@click.option(
    "--out", metavar="DIR", type=_PATH, help="Also write plots (SVG), the result (JSON) and a page."
)
@click.option("--force", is_flag=True, help="Replace what is at --out.")
@click.pass_obj
def validate(
    console: Console,
    /,
    study: Path,
    attributes: Path | None,
    seed: int,
    out: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Which signals to trust in a study: each against its listeners, and trivial baselines."""
    import numpy as np

    from auralign.cli.score_validate_text import validity_text
    from auralign.data.importers import read_attributes
    from auralign.evaluation.validity.validity import validate_signals

    given = read_attributes(attributes) if attributes else None
    with console.status(f"reading {study}"):
        found = validate_signals(
            study, attributes=given, rng=np.random.default_rng(seed), **options
        )
    if out is not None:
        from auralign.cli.score_validate_page import write_validity

        write_validity(found, out, force=force)
    console.result(found, validity_text(found))
    if out is not None:
        console.say(f"Plots and page: {out / 'index.html'}")


@click.command(cls=Verb)
@click.argument("signal")
@_selection
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the signal."
)
@click.option(
    "--pairs",
    "n_pairs",
    type=click.IntRange(min=2),
    default=60,
    show_default=True,
    help="Judged pairs whose clips are tampered with.",
)
@click.option(
    "--ladders",
    "n_ladders",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Clips that are degraded step by step.",
)
@click.option("--out", metavar="FILE", type=_PATH, help="Also write the report, for training.")
@click.option("--force", is_flag=True, help="Replace what is at --out.")
@click.pass_obj
def gate(
    console: Console,
    /,
    signal: str,
    study: Path,
    options: tuple[str, ...],
    seed: int,
    out: Path | None,
    force: bool,
    **settings: Any,
) -> None:
    """May SIGNAL serve as a reward for clips like those of a study?

    SIGNAL is a measure, such as stoi or sdr.si_sdr, or the folder of a trained reward model. The
    exit code is 0 whether it passes or not.
    """
    import numpy as np

    from auralign.cli.score_validate_text import gate_text
    from auralign.data.gates import check_free, write_gate
    from auralign.evaluation.reward_gate.gate import gate_reward

    if out is not None:
        check_free(out, force=force)
    reward = _reward(signal, options)
    with console.status(f"asking {reward.name} about {study}"):
        found = gate_reward(study, reward, rng=np.random.default_rng(seed), **settings)
    if out is not None:
        write_gate(out, found, force=force)
    console.result(found, gate_text(found))
    if out is not None:
        console.say(f"Written to {out}")


def _reward(signal: str, options: tuple[str, ...]) -> RewardUnderTest:
    from auralign.evaluation.reward_gate.rewards_under_test import (
        reward_from_model,
        reward_from_signal,
    )

    if not Path(signal).is_dir():
        return reward_from_signal(signal, **dict(map(_option, options)))
    if options:
        raise click.UsageError("a reward model takes no --option")
    from auralign.rewards.bradley_terry import BradleyTerryReward

    return reward_from_model(BradleyTerryReward.load(Path(signal)), signal)


def _option(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value read as YAML."""
    import yaml

    key, equals, value = text.partition("=")
    if not (equals and key):
        raise click.BadParameter(f"expected KEY=VALUE, got '{text}'", param_hint="--option")
    return key, yaml.safe_load(value)
