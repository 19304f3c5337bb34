"""What `test.yaml` says about a listening test, read strictly."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from auralign.data import StrictModel
from auralign.files import to_json
from auralign.listen.protocols import AnyTest


class Clips(StrictModel):
    """Where the clips are and what becomes of them.

    path            a folder with one folder for each system, a table (CSV) with the columns prompt,
                    system and file, or a study folder
    reference       the system whose clips are references, where the type of test needs them
    target_lufs     loudness that every clip is brought to by a gain (BS.1770); null leaves them
    peak_dbtp       highest true peak; a prompt whose clips would exceed it gets a lower target
    equal_length    pad the clips of a prompt with silence to the longest of them
    """

    path: Path = Path("clips")
    reference: str | None = None
    sample_rate: int = Field(default=48_000, ge=8_000, le=192_000)
    target_lufs: float | None = Field(default=-23.0, ge=-50, le=-10)
    peak_dbtp: float = Field(default=-1.0, le=0)
    equal_length: bool = False
    max_duration_s: float = Field(default=60.0, gt=0, le=3_600)
    max_file_mb: float = Field(default=100.0, gt=0)
    max_clips: int = Field(default=20_000, gt=0)


class Consent(StrictModel):
    """What listeners agree to; a new text needs a new version, and each session keeps its own."""

    version: str = "1"
    text: str = (
        "You will hear short recordings and say what you think of them. Your answers are stored "
        "without your name or address. You may stop at any time, and withdraw your answers with "
        "a link that you are given."
    )


class Playback(StrictModel):
    """How clips are played.

    must_listen   share of every clip that has to be heard before an answer; 0 asks for none
    if_unheard    refuse such an answer, or store and flag it
    restart       switching starts a clip from its beginning, not where the other one was
    expose_level  lets a program that drives the page read the level of the sound, for tests
    """

    must_listen: float = Field(default=1.0, ge=0, le=1)
    if_unheard: Literal["refuse", "flag"] = "refuse"
    restart: bool = False
    loop: bool = True
    fade_ms: float = Field(default=5.0, ge=0, le=50)
    expose_level: bool = False


class Design(StrictModel):
    """How many trials each listener gets, and how many answers each condition.

    trials                  main trials of a listener; fewer where there are fewer conditions
    answers_per_condition   a condition with so many is not presented again
    training                trials before, whose answers are kept apart
    repeats                 trials that ask again what was asked, for consistency
    gold, traps             how many of those below `checks` each listener meets
    rest_every              main trials after which a break is offered; null offers none
    abandoned_after_min     silence after which a listener's open trials go back
    """

    trials: int = Field(default=10, ge=1, le=500)
    answers_per_condition: int | None = Field(default=None, ge=1)
    training: int = Field(default=0, ge=0, le=50)
    repeats: int = Field(default=0, ge=0, le=50)
    gold: int = Field(default=0, ge=0, le=20)
    traps: int = Field(default=0, ge=0, le=20)
    rest_every: int | None = Field(default=20, ge=1)
    max_listeners: int | None = Field(default=None, ge=1)
    abandoned_after_min: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _repeats_are_of_trials(self) -> Design:
        if self.repeats > self.trials:
            raise ValueError(f"repeats ({self.repeats}) should not exceed trials ({self.trials})")
        return self


class CheckTrial(StrictModel):
    """A trial whose right answer is known.

    systems    the clips of these systems; the types that present one clip take one
    expected   gold: the system to choose, `tie`, or an accepted rating or range such as `4..5`;
               trap: the side (`A`, `B`) or the rating that the clip tells the listener to choose
    """

    prompt: str
    systems: tuple[str, ...] = Field(min_length=1, max_length=12)
    expected: str


class HeadphoneCheck(StrictModel):
    """Three intervals in each of some trials; who hears through loudspeakers cannot tell them.

    antiphase   the quietest tone (Woods et al. 2017): six trials, five of them right
    huggins     the interval with a faint tone (Milne et al. 2021): six trials, all of them right
    """

    kind: Literal["antiphase", "huggins"] = "antiphase"
    trials: int = Field(default=6, ge=3, le=12)
    needed: int = Field(default=5, ge=1, le=12)
    attempts: int = Field(default=2, ge=1, le=5)

    @model_validator(mode="after")
    def _can_be_passed(self) -> HeadphoneCheck:
        if self.needed > self.trials:
            raise ValueError(f"needed ({self.needed}) should not exceed trials ({self.trials})")
        return self


class Checks(StrictModel):
    """Trials that look at the listener, not at the clips."""

    headphones: HeadphoneCheck | None = None
    gold: tuple[CheckTrial, ...] = ()
    traps: tuple[CheckTrial, ...] = ()


class Screening(StrictModel):
    """Limits of the rules that mark listeners; nobody's answers are deleted by them."""

    min_gold: float = Field(default=1.0, ge=0, le=1)
    min_traps: float = Field(default=1.0, ge=0, le=1)
    min_repeats: float = Field(default=0.5, ge=0, le=1)
    too_fast_s: float = Field(default=1.0, gt=0)
    max_too_fast: float = Field(default=0.1, ge=0, le=1)
    side_p: float = Field(default=0.001, gt=0, lt=1)


class Recruitment(StrictModel):
    """Where listeners come from, and what they are given at the end.

    prolific_complete, prolific_screened_out   the codes that Prolific made for the study
    """

    platform: Literal["direct", "prolific", "mturk"] = "direct"
    prolific_complete: str | None = None
    prolific_screened_out: str | None = None


class Limits(StrictModel):
    """What one sender may ask of the server."""

    max_body_kb: int = Field(default=256, ge=16)
    requests_per_minute: int = Field(default=600, ge=10)
    sessions_per_minute: int = Field(default=30, ge=1)
    min_free_mb: int = Field(default=200, ge=0)


class TestSettings(StrictModel):
    """One listening test."""

    __test__ = False

    name: str = Field(min_length=1, max_length=200)
    contact: str = ""
    language: str = "en"
    seed: int = Field(default=0, ge=0)
    instructions: str = "Listen to every clip as often as you like, then answer the question."
    test: AnyTest
    clips: Clips = Clips()
    consent: Consent = Consent()
    playback: Playback = Playback()
    design: Design = Design()
    checks: Checks = Checks()
    screening: Screening = Screening()
    recruitment: Recruitment = Recruitment()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _checks_are_there(self) -> TestSettings:
        for name, wanted in (("gold", self.design.gold), ("traps", self.design.traps)):
            there = len(getattr(self.checks, name))
            if wanted > there:
                raise ValueError(f"design.{name} is {wanted}, but checks.{name} has {there}")
        if (self.checks.gold or self.checks.traps) and not self.test.checkable:
            raise ValueError(f"gold and trap trials need pairs or categories, not {self.test.type}")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over everything that listeners could notice."""
        seen = self.model_dump(mode="json", exclude={"limits", "contact"})
        return hashlib.sha256(to_json(seen, sort_keys=True).encode()).hexdigest()
