"""How far raters agree, with each other and with themselves."""

from auralign.stats.agreement.category_counts import CategoryWeights, Kappa
from auralign.stats.agreement.ceiling import RaterCeiling, pair_ceiling, rating_ceiling
from auralign.stats.agreement.clip_length import (
    AgreementByLength,
    LengthBin,
    agreement_by_clip_length,
    rating_agreement_by_clip_length,
)
from auralign.stats.agreement.cohen import cohen_kappa
from auralign.stats.agreement.concordance import Concordance, kendall_w
from auralign.stats.agreement.fleiss import (
    fleiss_kappa,
    fleiss_kappa_by_category,
    randolph_kappa,
)
from auralign.stats.agreement.gwet import gwet_ac1, gwet_ac2
from auralign.stats.agreement.intraclass import (
    IntraclassCorrelation,
    intraclass_correlation,
    intraclass_correlations,
)
from auralign.stats.agreement.krippendorff import krippendorff_alpha, krippendorff_interval
from auralign.stats.agreement.pairwise import pairwise_agreement
from auralign.stats.agreement.percent import percent_agreement
from auralign.stats.agreement.rater_reliability import (
    RaterReliability,
    rater_agreement,
    rater_reliability,
)
from auralign.stats.agreement.repeats import (
    RatingRepeats,
    RepeatConsistency,
    rating_repeats,
    repeat_consistency,
)
from auralign.stats.agreement.stimuli import AnswerTable, answer_table

__all__ = [
    "AgreementByLength",
    "AnswerTable",
    "CategoryWeights",
    "Concordance",
    "IntraclassCorrelation",
    "Kappa",
    "LengthBin",
    "RaterCeiling",
    "RaterReliability",
    "RatingRepeats",
    "RepeatConsistency",
    "agreement_by_clip_length",
    "answer_table",
    "cohen_kappa",
    "fleiss_kappa",
    "fleiss_kappa_by_category",
    "gwet_ac1",
    "gwet_ac2",
    "intraclass_correlation",
    "intraclass_correlations",
    "kendall_w",
    "krippendorff_alpha",
    "krippendorff_interval",
    "pair_ceiling",
    "pairwise_agreement",
    "percent_agreement",
    "randolph_kappa",
    "rater_agreement",
    "rater_reliability",
    "rating_agreement_by_clip_length",
    "rating_ceiling",
    "rating_repeats",
    "repeat_consistency",
]
