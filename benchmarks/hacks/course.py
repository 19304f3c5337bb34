"""The course of one training, read from what the guard wrote about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auralign.training.guard import Verdict, watched_trainings
from auralign.training.guard.rules import REWARD, SAMPLES, SOUND, SPEECH
from auralign.training.guard.runs import Look

PREFERENCE_LOST = 0.05
"""A preference that has fallen so far is one that the guard was to prevent."""
CLIP_RULE_NAMES = frozenset(rule.name for rule in (*SPEECH, *SOUND, *SAMPLES))


@dataclass(frozen=True, slots=True)
class Course:
    """Look by look; a look is one evaluation, the first of them after the first updates.

    steps, kl, proxy, preference   of the looks: updates, nats a clip, the change of the reward, and
                                   the simulated listeners' preference over the SFT policy
    alarms                         of each look the rules that raised one
    caught_at                      step of the first alarm of any rule that judges by clips alone
    named_at                       step of the first alarm of the hack's own rule
    lost_at                        step at which the preference had first fallen by 5 points
    symptom                        before, and at the last look
    sentence                       the rule's own at that alarm
    warned                         rules that said of the reward, before training, what it pays for
    """

    steps: tuple[int, ...]
    kl: tuple[float, ...]
    proxy: tuple[float, ...]
    preference: tuple[float, ...]
    preference_error: tuple[float, ...]
    alarms: tuple[tuple[str, ...], ...]
    caught_at: int | None
    named_at: int | None
    lost_at: int | None
    symptom: tuple[float, float]
    sentence: str
    warned: tuple[str, ...]

    @property
    def is_earned(self) -> bool:
        """Whether the hack's own rule ever saw it, which only training on the proxy can cause."""
        return self.named_at is not None

    @property
    def in_time(self) -> bool:
        """Whether an alarm about clips came before the preference was lost."""
        return self.caught_at is not None and (
            self.lost_at is None or self.caught_at < self.lost_at
        )

    @property
    def is_saved(self) -> bool:
        """Whether the guard would have gone back, to the look before, where nothing was lost."""
        return self.caught_at is not None and (
            self.lost_at is None or self.caught_at <= self.lost_at
        )


def read_course(folder: Path, *, rule: str, symptom: str) -> Course:
    """Raises RunStateError for a folder without a guarded training."""
    (training,) = watched_trainings(folder)
    looks = training.looks
    alarms = [_alarms(look) for look in looks]
    caught = next((k for k, fired in enumerate(alarms) if CLIP_RULE_NAMES & {*fired}), None)
    named = next((k for k, fired in enumerate(alarms) if rule in fired), None)
    preference = _figures(looks, "held_out_preference")
    errors = _figures(looks, "held_out_preference_error")
    lost = next((k for k, value in enumerate(preference) if _is_lost(value, errors[k])), None)
    shown = looks[-1].evidence.clips[symptom]
    return Course(
        steps=tuple(look.step for look in looks),
        kl=_figures(looks, "kl_exact"),
        proxy=_figures(looks, "proxy_change"),
        preference=preference,
        preference_error=errors,
        alarms=tuple(tuple(fired) for fired in alarms),
        caught_at=_step(looks, caught),
        named_at=_step(looks, named),
        lost_at=_step(looks, lost),
        symptom=(shown.before, shown.after),
        sentence="" if named is None else _sentence(looks[named], rule),
        warned=tuple(rule.name for rule in REWARD if rule.name in alarms[0]),
    )


def _step(looks: Sequence[Look], k: int | None) -> int | None:
    return None if k is None else looks[k].step


def _is_lost(preference: float, error: float) -> bool:
    """Fallen by 5 points, and surely below even."""
    return preference < 0.5 - PREFERENCE_LOST and preference + 2 * error < 0.5


def _alarms(look: Look) -> list[str]:
    return [f.rule for f in look.findings if f.verdict is Verdict.ALARM]


def _figures(looks: Sequence[Look], name: str) -> tuple[float, ...]:
    return tuple(float(look.evidence.figures[name]) for look in looks)


def _sentence(look: Look, rule: str) -> str:
    finding = next(f for f in look.findings if f.rule == rule)
    return f"{finding.sentence}. What to do: {finding.advice}"
