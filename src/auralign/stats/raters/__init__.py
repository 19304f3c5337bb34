"""Raters: how reliable they are, what groups they form, how fast they answer, whom to look at."""

from auralign.stats.raters.checks import check_pass_rates, without_checks
from auralign.stats.raters.choice_time_regression import (
    ChoiceTimeRegression,
    regress_choice_on_time,
)
from auralign.stats.raters.consensus import (
    MajorityAgreement,
    SharedDeviations,
    VoterTest,
    collusion,
    majority_agreement,
    voter_tests,
)
from auralign.stats.raters.crowd_bradley_terry import (
    CrowdBradleyTerryFit,
    fit_crowd_bradley_terry,
    fit_rater_discrimination,
)
from auralign.stats.raters.dawid_skene import DawidSkeneFit, fit_dawid_skene
from auralign.stats.raters.first_passage import simulate_first_passage
from auralign.stats.raters.glad import GladFit, fit_glad
from auralign.stats.raters.habits import (
    AnswerTimes,
    ScaleUse,
    SideUse,
    answer_times,
    scale_use,
    side_use,
)
from auralign.stats.raters.labels import pair_labels
from auralign.stats.raters.mixtures import (
    RaterMixtureFit,
    fit_rater_mixture,
    fit_rater_mixtures,
)
from auralign.stats.raters.quality import (
    QualityReport,
    QualityRules,
    RaterQuality,
    rater_quality,
)
from auralign.stats.raters.response_times import ResponseTimeFit, fit_response_times
from auralign.stats.raters.timed_trials import timed_comparisons

__all__ = [
    "AnswerTimes",
    "ChoiceTimeRegression",
    "CrowdBradleyTerryFit",
    "DawidSkeneFit",
    "GladFit",
    "MajorityAgreement",
    "QualityReport",
    "QualityRules",
    "RaterMixtureFit",
    "RaterQuality",
    "ResponseTimeFit",
    "ScaleUse",
    "SharedDeviations",
    "SideUse",
    "VoterTest",
    "answer_times",
    "check_pass_rates",
    "collusion",
    "fit_crowd_bradley_terry",
    "fit_dawid_skene",
    "fit_glad",
    "fit_rater_discrimination",
    "fit_rater_mixture",
    "fit_rater_mixtures",
    "fit_response_times",
    "majority_agreement",
    "pair_labels",
    "rater_quality",
    "regress_choice_on_time",
    "scale_use",
    "side_use",
    "simulate_first_passage",
    "timed_comparisons",
    "voter_tests",
    "without_checks",
]
