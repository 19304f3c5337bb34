"""auralign turns what listeners prefer into better audio generators."""

from __future__ import annotations

from auralign.lazy import importer

__version__ = "0.1.0"

_RECORDS = (
    "Audio",
    "Candidate",
    "Clip",
    "Comparisons",
    "Estimate",
    "Feedback",
    "Heard",
    "Judgement",
    "Outcome",
    "PreferencePair",
    "Prompt",
    "RankedList",
    "Score",
    "ScoreStatus",
    "Source",
    "Split",
    "TrialProtocol",
)


# The records need numpy, which `import auralign` alone does not wait for.
__getattr__ = importer(__name__, dict.fromkeys(_RECORDS, "types"))


def __dir__() -> list[str]:
    return [*globals(), *_RECORDS]
