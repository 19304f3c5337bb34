"""`auralign align`: train a policy on what listeners preferred, and look up how."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auralign.cli.assignments import assignments
from auralign.cli.console import Console, Verb
from auralign.cli.tables import WIDTH

if TYPE_CHECKING:
    from auralign.pipeline.alignment import AlignJob
    from auralign.pipeline.online_alignment import OnlineJob


@click.command(cls=Verb)
@click.option("--list-methods", is_flag=True, help="List the objectives by what data you have.")
@click.option("--explain", metavar="METHOD", help="Say what an objective does, needs and takes.")
@click.option("--method", metavar="METHOD", help="The objective.  [default: dpo]")
@click.option(
    "--policy",
    metavar="P",
    help="What is aligned: a card (policy.yaml), a folder with one, a .safetensors file of the "
    "built-in policy, or FILE.py:FUNCTION.",
)
@click.option(
    "--pairs",
    "--examples",
    "examples",
    metavar="F",
    help="Pairs, thumbs or lists with their codes: JSONL, Parquet, or a study folder.",
)
@click.option(
    "--prompts",
    metavar="F",
    help="Instead of examples: prompts that the policy answers itself while it is trained; a "
    "study folder, prompts.parquet, or a CSV, TSV or JSON Lines file with the column text.",
)
@click.option(
    "--reward",
    "rewards",
    multiple=True,
    metavar="[NAME=]R",
    help="Of fresh clips: a signal or SIGNAL.MEASURE, the folder of a reward model, or "
    "FILE.py:FUNCTION.",
)
@click.option(
    "--stages",
    type=click.Path(path_type=Path),
    metavar="F",
    help="A YAML list: how rewards are combined, stage by stage.",
)
@click.option(
    "--codec",
    metavar="C",
    help="Makes audio of codes, so that rewards and the guard can listen: a .npz of the built-in "
    "codec, a codec of transformers, or FILE.py:FUNCTION.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder for what comes of it.")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the objective."
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of training, such as learning_rate=2e-5 (see --settings).",
)
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="A YAML file of settings of training, under --set.",
)
@click.option(
    "--beta-from",
    metavar="SOURCE",
    help="Take beta and further --options as that code base has them: trl, openrlhf, simpo, ...",
)
@click.option("--mean-codes", type=float, help="Codes of a clip on average, for --beta-from.")
@click.option("--reference", metavar="P", help="Another policy, or none.  [default: P as it is]")
@click.option(
    "--held-out",
    metavar="F|SHARE",
    help="Held-out examples, or a share of prompts.  [default: 0.1]",
)
@click.option("--dimension", help="Of the judgements of a study folder.  [default: overall]")
@click.option("--tokens", metavar="F", help="Codes of a study's clips, such as a run's tokens.npz.")
@click.option(
    "--gate", "gates", multiple=True, metavar="F", help="What `auralign score gate` wrote."
)
@click.option(
    "--require-gate", is_flag=True, help="Refuse examples of a reward that has not passed."
)
@click.option(
    "--device",
    metavar="D",
    help="cpu, cuda, mps, or auto: a GPU where there is one.  [default: auto]",
)
@click.option("--kl-budget", type=float, help="Stop beyond so many nats a clip.")
@click.option("--track", multiple=True, metavar="NAME", help="tensorboard, wandb, ...")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of everything random.")
@click.option("--resume", is_flag=True, help="Go on with a job that was stopped.")
@click.option("--force", is_flag=True, help="Replace an existing run folder.")
@click.pass_obj
def align(console: Console, /, list_methods: bool, explain: str | None, **arguments: Any) -> None:
    """Align a policy with preferences: auralign align --method dpo --policy P --pairs F --out DIR.

    On its own clips: auralign align --method rloo --policy P --prompts F --reward R --out DIR.

    Several processes: `torchrun --nproc-per-node 2 -m auralign align ...`, or `accelerate launch`.
    """
    if list_methods or explain:
        _look_up(console, list_methods, explain)
        return
    _require_whole(arguments)
    if arguments["prompts"] is None:
        _train(console, arguments)
    else:
        _train_online(console, arguments)


_OF_EXAMPLES = (
    "examples", "beta_from", "mean_codes", "held_out", "dimension", "tokens", "gates",
    "require_gate",
)  # fmt: skip
_OF_PROMPTS = ("rewards", "stages")


def _require_whole(arguments: Mapping[str, Any]) -> None:
    """What training needs is there, and nothing that belongs to the other kind of it."""
    online = arguments["prompts"] is not None
    needed = ("policy", "rewards", "out") if online else ("policy", "examples", "out")
    missing = [_flag(n) for n in needed if not arguments[n]]
    if missing:
        raise click.UsageError(
            f"training needs {', '.join(missing)}; to look objectives up, say --list-methods or "
            "--explain METHOD"
        )
    for name in _OF_EXAMPLES if online else _OF_PROMPTS:
        if arguments[name]:
            other = "examples (--pairs)" if online else "own clips (--prompts)"
            raise click.UsageError(f"{_flag(name)} belongs to training on {other}: leave it out")


def _flag(argument: str) -> str:
    """The option of an argument."""
    names = {"examples": "--pairs", "rewards": "--reward", "gates": "--gate"}
    return names.get(argument, f"--{argument.replace('_', '-')}")


def _look_up(console: Console, list_methods: bool, explain: str | None) -> None:
    from auralign.losses import explain as stored
    from auralign.losses.online import ONLINE_OBJECTIVES
    from auralign.losses.online import explain as online

    if list_methods and explain:
        raise click.UsageError("say either --list-methods or --explain METHOD")
    methods = stored.listing()
    methods += [m for m in online.listing() if m["name"] not in {s["name"] for s in methods}]
    if explain:
        room = online if explain in ONLINE_OBJECTIVES else stored
        text = room.explain(explain)
        console.result(next(m for m in methods if m["name"] == explain) | {"text": text}, text)
    else:
        console.result(methods, _by_group(methods))


def _by_group(methods: list[dict[str, Any]]) -> str:
    blocks: dict[str, list[str]] = {}
    for method in methods:
        line = f"  {method['name']}: {method['summary']}"
        wrapped = textwrap.fill(line, WIDTH, subsequent_indent=" " * 6)
        blocks.setdefault(method["group"], [method["group"]]).append(wrapped)
    return "\n\n".join("\n".join(block) for block in blocks.values())


def _train(console: Console, arguments: Mapping[str, Any]) -> None:
    from auralign.pipeline.alignment import run_alignment

    _run(console, arguments, run_alignment, _job(arguments), _summary)


def _train_online(console: Console, arguments: Mapping[str, Any]) -> None:
    from auralign.pipeline.online_alignment import run_online_alignment

    _run(console, arguments, run_online_alignment, _online_job(arguments), _online_summary)


def _run(
    console: Console,
    arguments: Mapping[str, Any],
    run_job: Callable[..., Mapping[str, Any]],
    job: AlignJob | OnlineJob,
    summary: Callable[[Mapping[str, Any], Path], str],
) -> None:
    """Trains under a bar; of several processes the first one talks."""
    from auralign.cli.progress import TrainingProgress
    from auralign.training.processes import is_first_process

    out, talks = arguments["out"], is_first_process()
    with TrainingProgress(quiet=console.quiet or not talks) as progress:
        result = run_job(
            job, out, resume=arguments["resume"], force=arguments["force"], watch=progress.update
        )
    if talks:
        console.result({**result, "out": str(out)}, summary(result, out))


def _online_job(arguments: Mapping[str, Any]) -> OnlineJob:
    """The job that the words of the command line describe."""
    from auralign.data.config import load_yaml, parse, read_yaml
    from auralign.pipeline.online_alignment import OnlineJob
    from auralign.training.online import OnlineSettings

    training: dict[str, Any] = {}
    if arguments["settings"] is not None:
        settings = read_yaml(OnlineSettings, arguments["settings"])
        training = settings.model_dump(exclude_unset=True)
    training |= assignments("--set", arguments["changes"])
    if arguments["method"]:
        training["objective"] = arguments["method"]
    own = assignments("--option", arguments["options"])
    training["options"] = {**training.get("options", {}), **own}
    stages = arguments["stages"]
    given = {
        "rewards": _named_rewards(arguments["rewards"]),
        "stages": load_yaml(stages.read_text(encoding="utf-8"), str(stages)) if stages else None,
        "trackers": list(arguments["track"]) or None,
        **{n: arguments[n] for n in ("policy", "reference", "prompts", "codec", "kl_budget")},
        **{n: arguments[n] for n in ("seed", "device")},
    }
    words = {name: value for name, value in given.items() if value is not None}
    return parse(OnlineJob, {**words, "training": training}, "auralign align")


def _named_rewards(words: Sequence[str]) -> dict[str, str]:
    """`NAME=R`, or `R` under its own name."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, where = word.partition("=")
        name, where = (name, where) if equals else (Path(word).name, word)
        if name in found:
            raise click.UsageError(f"--reward: '{name}' is there twice: give NAME=R")
        found[name] = where
    return found


def _job(arguments: Mapping[str, Any]) -> AlignJob:
    """The job that the words of the command line describe."""
    from auralign.data.config import parse, read_yaml
    from auralign.pipeline.alignment import AlignJob
    from auralign.training.settings import TrainerSettings

    training: dict[str, Any] = {}
    if arguments["settings"] is not None:
        settings = read_yaml(TrainerSettings, arguments["settings"])
        training = settings.model_dump(exclude_unset=True)
    training |= assignments("--set", arguments["changes"])
    if arguments["method"]:
        training["objective"] = arguments["method"]
    options = {**training.get("options", {}), **assignments("--option", arguments["options"])}
    training["options"] = _converted(options, training.get("objective", "dpo"), arguments)
    held_out = arguments["held_out"]
    given = {
        "held_out": _number_or_text(held_out) if held_out is not None else None,
        "trackers": list(arguments["track"]) or None,
        "gates": list(arguments["gates"]) or None,
        "require_gate": arguments["require_gate"] or None,
        **{
            n: arguments[n]
            for n in ("policy", "reference", "examples", "dimension", "tokens", "codec")
        },
        **{n: arguments[n] for n in ("kl_budget", "seed", "device")},
    }
    words = {name: value for name, value in given.items() if value is not None}
    return parse(AlignJob, {**words, "training": training}, "auralign align")


def _converted(
    options: dict[str, Any], objective: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Options in our convention, where they were given in another one."""
    source = arguments["beta_from"]
    if source is None:
        if arguments["mean_codes"] is not None:
            raise click.UsageError("--mean-codes belongs to --beta-from, which is not given")
        return options
    from auralign.losses.beta import convert_beta

    if "beta" not in options:
        raise click.UsageError("--beta-from needs the beta: --option beta=...")
    return dict(
        convert_beta(source=source, method=objective, mean_codes=arguments["mean_codes"], **options)
    )


def _number_or_text(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _online_summary(result: Mapping[str, Any], out: Path) -> str:
    """The last words of a training on own clips."""
    kept = result["kept"]
    lines = [
        f"{result['objective']} on clips of {result['n_prompts']} prompts: {result['n_rounds']} "
        f"rounds, weights of round {result['kept_round']} kept."
    ]
    if "held_out_reward" in kept:
        first = result["evaluations"][0]["held_out_reward"]
        lines.append(
            f"Reward on {result['n_held_out']} held-out prompts {kept['held_out_reward']:.3f} "
            f"(at the first evaluation {first:.3f})."
        )
    kl = kept.get("kl_exact", kept.get("kl"))
    if kl is not None:
        lines.append(
            f"Divergence from the reference {kl:.1f} nats a clip; samples {kept['frames']:.0f} "
            "frames."
        )
    if result["stopped"]:
        lines.append(f"Stopped early: {result['stopped']}.")
    return "\n".join([*lines, f"Policy: {out / 'policy'}"])


def _summary(result: Mapping[str, Any], out: Path) -> str:
    """The last words of a training: what was learnt, what it cost, and where it is."""
    kept = result["kept"]
    lines = [
        f"{result['objective']} on {result['n_examples']} examples: {result['n_steps']} steps, "
        f"weights of step {result['kept_step']} kept."
    ]
    if "held_out_accuracy" in kept:
        share = f"{kept['held_out_accuracy']:.0%}"
        words = f"Of {result['n_held_out']} held-out examples {share} are in order"
        if "held_out_ranking_accuracy" in kept:
            words += f" (by likelihood alone {kept['held_out_ranking_accuracy']:.0%}"
            ideal = kept.get("held_out_idealised_accuracy")
            words += f", at best {ideal:.0%})" if ideal is not None else ")"
        lines.append(words + ".")
    kl = kept.get("kl_exact", kept.get("kl"))
    if kl is not None:
        drift = kept.get("held_out_chosen_drift", kept.get("chosen_log_ratio", 0.0))
        lines.append(
            f"Divergence from the reference {kl:.1f} nats a clip; chosen clips "
            f"{drift:+.1f} nats, samples {kept['frames']:.0f} frames."
        )
    lines += [f"Reward {v.signal}, gate on {v.dimension}: {v.verdict}." for v in result["rewards"]]
    if result["stopped"]:
        lines.append(f"Stopped early: {result['stopped']}.")
    return "\n".join([*lines, f"Policy: {out / 'policy'}"])
