"""Screening trials: gold, trap and repeat, and how often each rater passes them.

A screening trial is a judgement whose `context` says so:

    context["check"]      "gold" (the right answer is known), "trap" (an instruction such as
                          "choose B now") or "repeat" (the same question as before)
    context["expected"]   for gold and trap; for a pair the id of the clip to choose, or "tie"; for
                          a rating the accepted value "4" or the accepted range "4..5"

A repeat has no expected answer: it passes when it agrees with the first answer that the same rater
gave to the same question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.stats.agreement.stimuli import canonical, stimulus
from auralign.stats.comparisons import TIES
from auralign.stats.intervals import check_level
from auralign.stats.proportions import clopper_pearson
from auralign.types import Estimate, Judgement, Outcome, TrialProtocol

CHECK = "check"
EXPECTED = "expected"
GOLD = "gold"
TRAP = "trap"
REPEAT = "repeat"
KINDS = (GOLD, TRAP, REPEAT)
TIE = "tie"


def check_pass_rates(
    judgements: Iterable[Judgement],
    dimension: str,
    *,
    rating_tolerance: float = 1.0,
    level: float = 0.95,
) -> dict[str, dict[str, Estimate]]:
    """For each rater and kind of screening trial the share passed, with Clopper-Pearson's interval.

    Judgements are pairs and ratings of one dimension in the order in which they were given; those
    that are no screening trials are needed too, as the answers that repeats repeat. A repeated
    pair passes with the same choice whichever clip comes first, ties of any kind being one answer;
    a repeated rating passes within `rating_tolerance` scale units. A skip does not pass. Repeats
    without an earlier answer are left out, and `method` says how many.

    Raises `DataError` for an unknown kind of trial or an expected answer that cannot be read,
    `ConfigError` for a tolerance below 0.
    """
    check_level(level)
    if not rating_tolerance >= 0:
        raise ConfigError(f"rating_tolerance must be 0 or more, got {rating_tolerance}")
    own = [j for j in judgements if j.dimension == dimension and _is_screenable(j)]
    passes: defaultdict[tuple[str, str], list[bool | None]] = defaultdict(list)
    first_answers: dict[tuple[str, str], Judgement] = {}
    for j in own:
        kind, question = _kind(j), (j.rater, _question(j))
        if kind == REPEAT:
            earlier = first_answers.get(question)
            agrees = None if earlier is None else _agree(earlier, j, rating_tolerance)
            passes[j.rater, kind].append(agrees)
        elif kind:
            passes[j.rater, kind].append(_as_expected(j))
        first_answers.setdefault(question, j)
    rates: dict[str, dict[str, Estimate]] = {}
    for (rater, kind), results in sorted(passes.items()):
        estimate = _rate(kind, results, level)
        if estimate is not None:
            rates.setdefault(rater, {})[kind] = estimate
    return rates


def without_checks(judgements: Iterable[Judgement]) -> list[Judgement]:
    """The judgements that are no screening trials: those that say something about clips."""
    return [j for j in judgements if _kind(j) is None]


def _is_screenable(judgement: Judgement) -> bool:
    return judgement.protocol in (TrialProtocol.PAIR, TrialProtocol.RATING)


def _kind(judgement: Judgement) -> str | None:
    kind = judgement.context.get(CHECK)
    if kind is not None and kind not in KINDS:
        raise DataError(
            f"trial '{judgement.trial}' by '{judgement.rater}': context['{CHECK}'] must be one of "
            f"{', '.join(KINDS)}, got '{kind}'{did_you_mean(kind, KINDS)}"
        )
    return kind


def _question(judgement: Judgement) -> str:
    if judgement.protocol is TrialProtocol.PAIR:
        return stimulus(canonical(judgement))
    return stimulus(judgement)


def _as_expected(judgement: Judgement) -> bool:
    expected = judgement.context.get(EXPECTED)
    if expected is None:
        raise _unreadable(judgement, "is missing")
    if judgement.protocol is TrialProtocol.PAIR:
        return _chosen_as_expected(judgement, expected)
    return _rated_as_expected(judgement, expected)


def _chosen_as_expected(judgement: Judgement, expected: str) -> bool:
    clips = [candidate.clip_id for candidate in judgement.candidates]
    if expected == TIE:
        return judgement.outcome in TIES
    if expected not in clips:
        raise _unreadable(judgement, f"'{expected}' is neither of its clips nor '{TIE}'")
    chosen = {Outcome.A: clips[0], Outcome.B: clips[-1]}
    return judgement.outcome in chosen and chosen[judgement.outcome] == expected


def _rated_as_expected(judgement: Judgement, expected: str) -> bool:
    try:
        ends = [float(end) for end in expected.split("..")]
    except ValueError:
        ends = []
    if not 1 <= len(ends) <= 2 or ends[0] > ends[-1]:
        raise _unreadable(
            judgement, f"'{expected}' is no value such as '4' or range such as '4..5'"
        )
    return judgement.rating is not None and ends[0] <= judgement.rating <= ends[-1]


def _unreadable(judgement: Judgement, problem: str) -> DataError:
    return DataError(
        f"trial '{judgement.trial}' by '{judgement.rater}': context['{EXPECTED}'] {problem}"
    )


def _agree(earlier: Judgement, again: Judgement, rating_tolerance: float) -> bool:
    if earlier.protocol is TrialProtocol.RATING:
        if earlier.rating is None or again.rating is None:
            return False
        return abs(earlier.rating - again.rating) <= rating_tolerance
    outcomes = [canonical(j).outcome for j in (earlier, again)]
    if Outcome.SKIP in outcomes or None in outcomes:
        return False
    return outcomes[0] == outcomes[1] or all(outcome in TIES for outcome in outcomes)


def _rate(kind: str, results: Sequence[bool | None], level: float) -> Estimate | None:
    judged = [result for result in results if result is not None]
    if not judged:
        return None
    unmatched = len(results) - len(judged)
    left_out = f" ({unmatched} without an earlier answer, left out)" if unmatched else ""
    estimate = clopper_pearson(sum(judged), len(judged), level=level)
    return replace(estimate, method=f"{kind} trials passed{left_out}; Clopper-Pearson")
