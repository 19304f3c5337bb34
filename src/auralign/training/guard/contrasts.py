"""Checks of two numbers that contradict each other: one rises, and what it stands for does not."""

from __future__ import annotations

import math

from auralign.training.guard.bands import Shift
from auralign.training.guard.evidence import Answer, Evidence, NotMeasured, Verdict

PREFERENCE = "held_out_preference"
DECLINE = (0.02, 0.05)
"""Of the preference below its best: to be watched, and an alarm."""
FEWEST_METRICS = 3


def proxy_against_listeners(evidence: Evidence) -> Answer:
    """The reward rises, and listeners (or their model) do not prefer the result."""
    rose = evidence.proxy_rose
    if rose is None:
        raise NotMeasured("the proxy reward is not known")
    preference, error = evidence.figure(PREFERENCE), evidence.error(PREFERENCE)
    verdict = Verdict.OK
    if rose and preference <= 0.5:
        verdict = Verdict.ALARM if preference + 2 * error < 0.5 else Verdict.WATCH
    words = "rises" if rose else "does not rise"
    return Answer(verdict, preference, f"the reward {words}, listeners prefer it {preference:.0%}")


def proxy_against_held_out(evidence: Evidence) -> Answer:
    """The reward that is trained on rises, another falls, or falls back from its best."""
    if evidence.proxy_rose is None:
        raise NotMeasured("the proxy reward is not known")
    held_out = evidence.shift("held_out")
    best = _best(evidence, "held_out_change", 0.0)
    verdict = Verdict.OK
    if evidence.proxy_rose and best - held_out.change > 2 * held_out.error:
        verdict = Verdict.ALARM if held_out.fallen() else Verdict.WATCH
    words = f"the held-out reward changes by {held_out.change:+.3g}, {best:+.3g} at its best"
    return Answer(verdict, held_out.change, words)


def recogniser_against_another(evidence: Evidence) -> Answer:
    """Word errors fall for the recogniser in the reward, and less for one that is not in it."""
    own, other = evidence.shift("word_error"), evidence.shift("held_out_word_error")
    excess = other.change - own.change
    error = math.hypot(own.error, other.error)
    verdict = Verdict.OK
    if own.fallen() and excess > 2 * error:
        verdict = Verdict.WATCH if other.fallen() else Verdict.ALARM
    words = f"word errors change by {own.change:+.3f}, for another recogniser {other.change:+.3f}"
    return Answer(verdict, excess, words)


def clear_against_natural(evidence: Evidence) -> Answer:
    """Word errors fall, and so does naturalness, or the listeners' preference."""
    errors = evidence.shift("word_error")
    change, sure = _change_of_liking(evidence)
    verdict = Verdict.OK
    if errors.fallen() and change < 0:
        verdict = Verdict.ALARM if sure else Verdict.WATCH
    words = f"word errors change by {errors.change:+.3f}, what people like by {change:+.3f}"
    return Answer(verdict, change, words)


def _change_of_liking(evidence: Evidence) -> tuple[float, bool]:
    """Of naturalness, or of the preference from even; and whether it has surely fallen."""
    if "naturalness" in evidence.clips:
        natural = evidence.shift("naturalness")
        return natural.change, natural.fallen()
    change = evidence.figure(PREFERENCE) - 0.5
    return change, change < -2 * evidence.error(PREFERENCE)


def decline(evidence: Evidence) -> Answer:
    """The preference is below its best so far, which begins with that of the SFT policy: 0.5.

    The order of held-out pairs stands in for it where it is not known, and raises no alarm.
    """
    name = PREFERENCE if PREFERENCE in evidence.figures else "held_out_accuracy"
    value, error = evidence.figure(name), evidence.error(name)
    best = _best(evidence, name, max(value, 0.5) if name == PREFERENCE else value)
    fall = best - value
    verdict = Verdict.OK
    if fall > max(DECLINE[0], 2 * error):
        is_far = fall > DECLINE[1] and name == PREFERENCE
        verdict = Verdict.ALARM if is_far else Verdict.WATCH
    return Answer(verdict, -fall, f"{name} is {value:.2f}, {best:.2f} at its best")


def one_metric_alone(evidence: Evidence) -> Answer:
    """The proxy rises, no other measure gets better, and some get worse."""
    if evidence.proxy_rose is None:
        raise NotMeasured("the proxy reward is not known")
    others = {name: s for name, s in evidence.clips.items() if s.better and name != "proxy"}
    if len(others) < FEWEST_METRICS:
        raise NotMeasured(
            f"{len(others)} other measures have a better side and {FEWEST_METRICS} are needed"
        )
    worse = [name for name, found in others.items() if _improved(found, -1)]
    better = [name for name, found in others.items() if _improved(found, 1)]
    verdict = Verdict.OK
    if evidence.proxy_rose and worse and not better:
        verdict = Verdict.ALARM if 2 * len(worse) >= len(others) else Verdict.WATCH
    words = f"of {len(others)} other measures {len(better)} got better and {len(worse)} worse"
    return Answer(verdict, float(len(worse)), words + (f" ({', '.join(worse)})" if worse else ""))


def _improved(found: Shift, sign: int) -> bool:
    return found.risen() if found.better * sign > 0 else found.fallen()


def distribution_against_listeners(evidence: Evidence) -> Answer:
    """The distance to a set of recordings grows; only listeners say whether that matters."""
    ratio = evidence.figure("distribution_distance_ratio")
    preference = evidence.figures.get(PREFERENCE, math.nan)
    verdict = Verdict.OK
    if ratio > 1.07:
        verdict = Verdict.ALARM if preference <= 0.5 else Verdict.WATCH
    liked = f", listeners prefer it {preference:.0%}" if math.isfinite(preference) else ""
    return Answer(verdict, ratio, f"the distance to the set is x {ratio:.2f}{liked}")


def proxy_on_votes(evidence: Evidence) -> Answer:
    """How often the proxy finds the clip that listeners chose."""
    accuracy, error = evidence.figure("proxy_accuracy"), evidence.error("proxy_accuracy")
    verdict = Verdict.OK
    if accuracy < 0.60 or accuracy - 2 * error <= 0.5:
        verdict = Verdict.ALARM if accuracy < 0.55 else Verdict.WATCH
    return Answer(verdict, accuracy, f"the proxy finds {accuracy:.0%} of what listeners chose")


def proxy_on_fresh_votes(evidence: Evidence) -> Answer:
    """How often it does on votes about this policy's clips, against the votes it was made of."""
    name = "proxy_accuracy_fresh"
    then, now = evidence.figure("proxy_accuracy"), evidence.figure(name)
    fall = then - now
    verdict = Verdict.OK
    if fall > max(0.05, 2 * math.hypot(evidence.error("proxy_accuracy"), evidence.error(name))):
        verdict = Verdict.ALARM if fall > 0.10 else Verdict.WATCH
    return Answer(
        verdict, -fall, f"the proxy is right on {now:.0%} of fresh votes, {then:.0%} before"
    )


def _best(evidence: Evidence, name: str, least: float) -> float:
    """The highest earlier value of a figure, at least `least`."""
    values = [figures.get(name, math.nan) for figures in evidence.history]
    return max([least, *(value for value in values if math.isfinite(value))])
