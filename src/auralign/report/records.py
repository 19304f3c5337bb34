"""What a report shows, in the order of the page; filled by the caller, only looped over here.

A value with unit "%" is a proportion in [0, 1]. A value that is None was not measured; `reason`
says why and is printed beside the dash. Nothing is estimated here: numbers arrive finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from auralign.types import Audio, Estimate, Prompt

Direction = Literal["higher", "lower", "target", "descriptive"]
"""Which way a signal is better; `target` has a wanted value, `descriptive` has no better."""

Verdict = Literal["PASS", "WARN", "FAIL"]

WordStatus = Literal["right", "wrong", "extra", "missed"]


@dataclass(frozen=True, slots=True)
class Headline:
    """One large number at the top; with `before` it reads "before -> value"."""

    label: str
    value: float | Estimate | None
    before: float | None = None
    unit: str = ""
    caption: str = ""
    from_votes: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline: what it did in a sentence, what came out, wall-clock seconds."""

    name: str
    sentence: str
    finding: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript; `expected` is the prompt's word where another was heard.

    A missed word carries the prompt's word as its `text`.
    """

    text: str
    status: WordStatus = "right"
    expected: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ClipCard:
    """One clip to listen to; `heard` is what the evaluation recogniser heard, None if not run."""

    label: str
    audio: Audio
    heard: tuple[Word, ...] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class VoteCount:
    """`n_prefer` of `n` listeners prefer the clip labelled `prefer` over that labelled `over`."""

    prefer: str
    over: str
    n_prefer: int
    n: int
    n_ties: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PromptCard:
    """One prompt with the clips that answer it, two or three of them, before first."""

    prompt: Prompt
    clips: tuple[ClipCard, ...]
    votes: tuple[VoteCount, ...] = ()

    @property
    def longest_s(self) -> float:
        """The common time axis of the spectrograms, in seconds."""
        return max((clip.audio.duration_s for clip in self.clips), default=0.0)


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often `after` was preferred on one dimension; ties count half."""

    dimension: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class ListenerRate:
    """One listener's own win rate over `n` trials."""

    listener: str
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class PreferenceResult:
    """Win rates of `after` over `before`, per dimension and per listener."""

    before: str
    after: str
    win_rates: tuple[WinRate, ...]
    listeners: tuple[ListenerRate, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class SignalChange:
    """One automated measure before and after, and the interval of its paired difference.

    `n_scored` of `n_total` clip pairs have a value on both sides.
    """

    name: str
    unit: str
    direction: Direction
    before: float | None
    after: float | None
    difference: Estimate | None
    n_scored: int
    n_total: int
    note: str = ""
    reason: str = ""

    @property
    def change(self) -> str:
        """What the interval of the difference says, in words."""
        if self.difference is None:
            return "not measured"
        if not (self.difference.low > 0 or self.difference.high < 0):
            return "no clear change"
        up = self.difference.low > 0
        if self.direction in ("higher", "lower"):
            return "clearly better" if up == (self.direction == "higher") else "clearly worse"
        return "clearly higher" if up else "clearly lower"


@dataclass(frozen=True, slots=True)
class Check:
    """One run's value of a failure signature and the verdict on it."""

    value: float | None
    verdict: Verdict
    sentence: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FailureSignature:
    """A way in which alignment goes wrong; `hacked` is the example run without an anchor."""

    name: str
    meaning: str
    band: str
    unit: str
    aligned: Check
    hacked: Check | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart; a None or non-finite `y` interrupts it."""

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """A labelled vertical line, such as the chosen checkpoint."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    markers: tuple[Marker, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScatterChart:
    title: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RewardCheck:
    """Whether listeners agree and whether the reward model ranks clips as they do.

    agreement  a chance-corrected coefficient, named by `coefficient`
    ceiling    the accuracy of knowing what the panel chooses on average, on the same pairs
    accuracy   the reward model's accuracy on pairs it was not fitted to
    spearman   rank correlation of reward and panel mean opinion score (MOS), drawn in `scatter`
    """

    coefficient: str
    agreement: Estimate | None
    ceiling: Estimate | None
    accuracy: Estimate | None
    spearman: Estimate | None = None
    scatter: ScatterChart | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What is needed to get the same report again."""

    command: str
    seed: int
    versions: Mapping[str, str]
    recipe: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """Everything on the page. Without `simulated` the listeners were people.

    date        printed as given; there is no clock in here
    verdict     one sentence in words, written by whoever computed the numbers
    limits      sentences that say what the numbers do not show
    """

    title: str
    subtitle: str
    date: str
    simulated: bool
    verdict: str
    headlines: tuple[Headline, ...] = ()
    stages: tuple[Stage, ...] = ()
    prompts: tuple[PromptCard, ...] = ()
    preference: PreferenceResult | None = None
    signals: tuple[SignalChange, ...] = ()
    signatures: tuple[FailureSignature, ...] = ()
    curves: tuple[LineChart, ...] = ()
    reward: RewardCheck | None = None
    limits: tuple[str, ...] = ()
    reproduction: Reproduction | None = None
