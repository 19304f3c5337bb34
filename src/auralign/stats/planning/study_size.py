"""How many listeners to recruit and judgements to collect for a difference at a power."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from auralign.errors import ConfigError
from auralign.stats.planning.power import (
    Correction,
    SignTest,
    check_items,
    check_positive,
    paired_t_power,
    round_robin_power,
    sign_test_power,
    two_sample_t_power,
)
from auralign.stats.planning.sample_size import (
    paired_t_sample_size,
    round_robin_sample_size,
    sign_test_sample_size,
    two_sample_t_sample_size,
)
from auralign.stats.sandwich import FEW_CLUSTERS

DESIGN_EFFECT = "design_effect = 1 + (judgements_per_listener - 1) icc (Kish 1965, Survey Sampling)"
RECRUITED = "listeners = kept_listeners / (1 - rejected), rounded up"


@dataclass(frozen=True)
class StudySize:
    """What to plan, what it achieves, and by which formulas.

    listeners       to recruit, those who will be rejected included
    kept_listeners  who have to remain
    judgements      to collect from all recruited listeners
    independent     observations that the kept judgements are worth, in the unit of the test
    design_effect   how many clustered judgements are worth one independent one
    power           achieved with the kept listeners
    formulas        for each number, where it comes from
    warnings        sentences that belong next to the numbers
    """

    listeners: int
    kept_listeners: int
    judgements: int
    independent: float
    design_effect: float
    power: float
    alpha: float
    formulas: Mapping[str, str]
    warnings: tuple[str, ...]


def design_effect(judgements_per_listener: float, icc: float) -> float:
    """1 + (m - 1) icc: by how much clustering inflates the variance of a mean (Kish 1965).

    `icc` is the intraclass correlation of two judgements of one listener.
    """
    check_positive("judgements_per_listener", judgements_per_listener)
    if not 0 <= icc <= 1:
        raise ConfigError(f"icc must be between 0 and 1, got {icc}")
    return 1 + (judgements_per_listener - 1) * icc


def win_rate_study(
    win_rate: float,
    *,
    judgements_per_listener: int,
    icc: float = 0.0,
    tie_rate: float = 0.0,
    rejected: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    method: SignTest = "exact",
) -> StudySize:
    """Two systems compared in pairs: listeners to tell `win_rate` from 1/2 by the sign test.

    `win_rate` is that among decisive judgements, `icc` the correlation of two votes of a listener,
    `tie_rate` the expected share of ties (they say nothing to a sign test), `rejected` the share
    of listeners that screening will remove. The design effect takes all judgements of a listener,
    which with ties is slightly conservative. Raises `ConfigError` for impossible settings.
    """
    _check_losses(tie_rate, rejected)
    effect = design_effect(judgements_per_listener, icc)
    worth = judgements_per_listener * (1 - tie_rate) / effect
    needed = sign_test_sample_size(win_rate, alpha=alpha, power=power, method=method)

    def achieved(listeners: int) -> float:
        return sign_test_power(win_rate, _floor(listeners * worth), alpha=alpha, method=method)

    kept = _enough_listeners(_ceil(needed / worth), achieved, power)
    return _study(
        kept,
        rejected,
        per_listener=judgements_per_listener,
        worth=worth,
        effect=effect,
        power=achieved(kept),
        alpha=alpha,
        formulas={
            "kept_listeners": "sign test (" + method + "), n = "
            f"{needed} decisive independent judgements; kept_listeners = n design_effect / "
            "(judgements_per_listener (1 - tie_rate)), rounded up until the power holds",
            "design_effect": DESIGN_EFFECT,
            "power": f"two-sided sign test ({method}) on `independent` judgements, rounded down",
        },
    )


def acr_study(
    difference: float,
    sd: float,
    *,
    clips_per_system: int,
    icc: float = 0.0,
    paired: bool = True,
    taste_sd: float = 0.0,
    rejected: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    n_tests: int = 1,
) -> StudySize:
    """Absolute category ratings (ITU-T P.800): listeners for a `difference` of two mean opinions.

    `sd` is that of single ratings, `icc` the share of its square that lies between listeners. If
    `paired`, every listener rates `clips_per_system` clips of both systems, and the t-test is on
    listeners' differences: their variance is taste_sd^2 + 2 (1 - icc) sd^2 / clips, where
    `taste_sd` is the standard deviation of listeners' true differences. Otherwise each listener
    rates one system, and the t-test is on listeners' means of variance sd^2 design_effect / clips.
    `n_tests` > 1 divides alpha (Holm's first step). The clips count as given: the result is not
    for other clips. Raises `ConfigError` for impossible settings.
    """
    _check_ratings(sd, clips_per_system, taste_sd, n_tests)
    _check_losses(0.0, rejected)
    effect, each = design_effect(clips_per_system, icc), alpha / n_tests
    if paired:
        spread = math.sqrt(taste_sd**2 + 2 * (1 - icc) * sd**2 / clips_per_system)
        how = "paired t-test on listeners' differences of sd "
        how += f"{spread:.4g} = sqrt(taste_sd^2 + 2 (1 - icc) sd^2 / clips_per_system)"
        kept = paired_t_sample_size(difference, spread, alpha=each, power=power)
        achieved = paired_t_power(difference, spread, kept, alpha=each)
    else:
        spread = sd * math.sqrt(effect / clips_per_system)
        how = "t-test of two groups of listeners' means of sd "
        how += f"{spread:.4g} = sd sqrt(design_effect / clips_per_system)"
        kept = 2 * two_sample_t_sample_size(difference, spread, alpha=each, power=power)
        achieved = two_sample_t_power(difference, spread, kept // 2, alpha=each)
    unused = " of one system's clips; it does not enter a paired test" if paired else ""
    return _study(
        kept,
        rejected,
        per_listener=clips_per_system * (2 if paired else 1),
        worth=1.0,
        effect=effect,
        power=achieved,
        alpha=alpha,
        formulas={
            "kept_listeners": f"smallest number by the {how}, alpha / {n_tests}",
            "design_effect": DESIGN_EFFECT + unused,
            "power": "non-central t distribution",
        },
    )


def mushra_study(
    difference: float,
    sd: float,
    *,
    n_systems: int,
    n_items: int,
    icc: float = 0.0,
    taste_sd: float = 0.0,
    rejected: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> StudySize:
    """MUSHRA (ITU-R BS.1534-3): listeners for a `difference` in points between any two systems.

    Every listener rates all `n_systems` (the reference and anchors too, if they are compared) on
    each of `n_items`; all pairs of systems are tested by paired t-tests on listeners' means with
    Holm's first step, alpha / pairs. `sd`, `icc` and `taste_sd` as in `acr_study`, in points of the
    0-100 scale; `rejected` is the share of listeners that post-screening (sec. 4.1.2) removes.
    """
    check_items(n_systems)
    pairs = n_systems * (n_systems - 1) // 2
    size = acr_study(
        difference,
        sd,
        clips_per_system=n_items,
        icc=icc,
        taste_sd=taste_sd,
        rejected=rejected,
        alpha=alpha,
        power=power,
        n_tests=pairs,
    )
    return replace(size, judgements=size.listeners * n_systems * n_items)


def round_robin_study(
    n_items: int,
    gap: float,
    *,
    judgements_per_listener: int,
    icc: float = 0.0,
    tie_rate: float = 0.0,
    rejected: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    correction: Correction = "holm",
) -> StudySize:
    """All pairs of `n_items`: listeners to tell two apart whose log-worths differ by `gap` logits.

    Near equality; see `round_robin_power`. A tie carries no information on a gap near zero, so the
    judgements are divided by 1 - `tie_rate` (exact in Davidson's model at equal worths). `icc` and
    `rejected` as in `win_rate_study`.
    """
    _check_losses(tie_rate, rejected)
    effect = design_effect(judgements_per_listener, icc)
    worth = judgements_per_listener * (1 - tie_rate) / effect
    pairs = n_items * (n_items - 1) / 2
    needed = round_robin_sample_size(n_items, gap, alpha=alpha, power=power, correction=correction)

    def achieved(listeners: int) -> float:
        per_pair = listeners * worth / pairs
        return round_robin_power(n_items, gap, per_pair, alpha=alpha, correction=correction)

    kept = _enough_listeners(_ceil((needed - 1) * pairs / worth), achieved, power)
    return _study(
        kept,
        rejected,
        per_listener=judgements_per_listener,
        worth=worth,
        effect=effect,
        power=achieved(kept),
        alpha=alpha,
        formulas={
            "kept_listeners": f"r = 8 (c + z_power)^2 / (n gap^2) = {needed} per pair, correction "
            f"{correction}; kept_listeners = r pairs design_effect / (judgements_per_listener "
            "(1 - tie_rate)), rounded up",
            "design_effect": DESIGN_EFFECT,
            "power": "Phi(gap / sd - c) + Phi(-gap / sd - c), sd^2 = 8 / (n r)",
        },
    )


def _study(
    kept: int,
    rejected: float,
    *,
    per_listener: int,
    worth: float,
    effect: float,
    power: float,
    alpha: float,
    formulas: dict[str, str],
) -> StudySize:
    listeners = _ceil(kept / (1 - rejected))
    judgements = "judgements = listeners x judgements of each"
    return StudySize(
        listeners=listeners,
        kept_listeners=kept,
        judgements=listeners * per_listener,
        independent=kept * worth,
        design_effect=effect,
        power=power,
        alpha=alpha,
        formulas={**formulas, "listeners": RECRUITED, "judgements": judgements},
        warnings=_warnings(kept),
    )


def _warnings(kept: int) -> tuple[str, ...]:
    if kept >= FEW_CLUSTERS:
        return ()
    return (
        f"{kept} listeners: below {FEW_CLUSTERS}, intervals clustered by listener tend to be too "
        "narrow and one unusual listener decides; recruit more who answer less",
    )


def _enough_listeners(start: int, achieved: Callable[[int], float], power: float) -> int:
    """From `start` on, the first number with the power: a saw-toothed one may dip below it."""
    listeners = max(start, 1)
    while achieved(listeners) < power:
        listeners += 1
    return listeners


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-9)


def _floor(value: float) -> int:
    return math.floor(value + 1e-9)


def _check_losses(tie_rate: float, rejected: float) -> None:
    for name, value in {"tie_rate": tie_rate, "rejected": rejected}.items():
        if not 0 <= value < 1:
            raise ConfigError(f"{name} must be at least 0 and below 1, got {value}")


def _check_ratings(sd: float, clips_per_system: int, taste_sd: float, n_tests: int) -> None:
    check_positive("sd", sd)
    check_positive("clips_per_system", clips_per_system)
    check_positive("n_tests", n_tests)
    if taste_sd < 0:
        raise ConfigError(f"taste_sd must not be negative, got {taste_sd}")
