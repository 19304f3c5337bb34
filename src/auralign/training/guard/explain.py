"""The rule book in words: the table of the docs."""

from __future__ import annotations

from auralign.training.guard.rule import Rule
from auralign.training.guard.rules import (
    PREFERENCE,
    REWARD,
    RULES,
    SAMPLES,
    SOUND,
    SPEECH,
    TRAINING,
)

GROUPS = {
    "Speech": SPEECH,
    "Sound": SOUND,
    "What is sampled": SAMPLES,
    "What people like": PREFERENCE,
    "Training": TRAINING,
    "The reward": REWARD,
}

SIGNATURES = {
    1: "a transcription reward flattens prosody",
    2: "a speaker reward breaks the end of clips",
    3: "over-articulation: slow, over-clear speech",
    4: "too many rounds",
    5: "the proxy does not rank what people like",
    6: "an over-optimised reward model",
    7: "strategic refusal, empty output",
    8: "a single metric moves alone",
    9: "the voice drifts",
    10: "a distribution metric gets worse while people are happier",
    11: "diversity collapses",
    12: "the reward model is out of date",
    13: "recordings as the fixed winner",
    14: "both likelihoods fall",
    15: "the reward is tricked by artefacts",
    16: "a reward model without hard negatives",
    17: "biases of judges: level, padding",
    18: "word errors are useless inside the working band",
    19: "samples are so narrow that pairs lose contrast",
    20: "the two sides of pairs come from different sources",
    21: "the reward does not read the prompt",
    22: "length and padding change the score",
}
"""Published failure signatures of audio preference learning; a rule names those it looks for."""

_HEAD = "| rule | watches | band | published case | what to do |\n| --- | --- | --- | --- | --- |\n"


def rule_tables() -> str:
    """All rules in Markdown, one table for each group."""
    blocks = [
        f"### {title}\n\n{_HEAD}" + "".join(map(_row, rules)) for title, rules in GROUPS.items()
    ]
    return "\n".join(blocks)


def signature_table() -> str:
    """Every signature with the rules that look for it, in Markdown."""
    lines = [
        f"| {number} | {words} | {', '.join(r.name for r in RULES if number in r.signatures)} |\n"
        for number, words in SIGNATURES.items()
    ]
    return "| signature | is | rules |\n| --- | --- | --- |\n" + "".join(lines)


def _row(rule: Rule) -> str:
    cells = [rule.name, rule.watches, rule.check.band, rule.case, rule.advice]
    return f"| {' | '.join(cells)} |\n"
