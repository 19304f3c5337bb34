"""Whether the rewards that made training examples have passed their gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auralign.data.gates import RewardVerdict, read_gate
from auralign.errors import ConfigError


def reward_verdicts(
    examples: str, gates: Sequence[str], *, require: bool = False
) -> list[RewardVerdict]:
    """What the gates say: the label of everything that is trained on the examples.

    examples   a file of examples, which does not say what made it, so that the gates are taken at
               their word; or a study folder, of which only what listeners and ladders said is
               trained on, and no signal
    gates      files that `auralign score gate` wrote, of the rewards that made the examples

    With `require`, raises ConfigError unless every reward has passed, and for a file of examples
    without a gate.
    """
    found = [read_gate(path) for path in gates]
    if require and not found and not (Path(examples) / "study.yaml").is_file():
        raise ConfigError(
            f"require_gate: nothing says which reward made {examples}: name the file that "
            "`auralign score gate --out` wrote in gates"
        )
    refused = [f"{v.signal} ({v.verdict}{_failed(v)})" for v in found if v.verdict != "passed"]
    if require and refused:
        raise ConfigError(
            f"require_gate: expected rewards that passed their gate, got {', '.join(refused)}: "
            "choose another reward, or leave require_gate out to have the result labelled"
        )
    return found


def _failed(verdict: RewardVerdict) -> str:
    return f": {', '.join(verdict.failed)}" if verdict.failed else ""
