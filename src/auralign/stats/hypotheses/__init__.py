"""Tests of hypotheses, families of tests, and groups of listeners."""

from auralign.stats.hypotheses.ab import AbResult, ab_test
from auralign.stats.hypotheses.abx import (
    AbxResult,
    abx_d_prime,
    abx_share_correct,
    abx_test,
    minimum_correct,
)
from auralign.stats.hypotheses.binomial import binomial_test, sign_test
from auralign.stats.hypotheses.friedman import (
    FriedmanResult,
    conover,
    critical_difference,
    friedman_test,
    nemenyi,
    wilcoxon_pairs,
)
from auralign.stats.hypotheses.group_weights import (
    GroupWeights,
    aitchison_distance,
    group_weights,
)
from auralign.stats.hypotheses.listener_groups import (
    GroupWinRates,
    Inequality,
    group_win_rates,
    inequality,
)
from auralign.stats.hypotheses.multiplicity import (
    benjamini_hochberg,
    benjamini_hochberg_adjusted,
    holm,
    holm_adjusted,
)
from auralign.stats.hypotheses.permutation import sign_flip_test
from auralign.stats.hypotheses.result import AdjustedTest, FamilyOfTests, HypothesisTest
from auralign.stats.hypotheses.wilcoxon import hodges_lehmann, wilcoxon_signed_rank

__all__ = [
    "AbResult",
    "AbxResult",
    "AdjustedTest",
    "FamilyOfTests",
    "FriedmanResult",
    "GroupWeights",
    "GroupWinRates",
    "HypothesisTest",
    "Inequality",
    "ab_test",
    "abx_d_prime",
    "abx_share_correct",
    "abx_test",
    "aitchison_distance",
    "benjamini_hochberg",
    "benjamini_hochberg_adjusted",
    "binomial_test",
    "conover",
    "critical_difference",
    "friedman_test",
    "group_weights",
    "group_win_rates",
    "hodges_lehmann",
    "holm",
    "holm_adjusted",
    "inequality",
    "minimum_correct",
    "nemenyi",
    "sign_flip_test",
    "sign_test",
    "wilcoxon_pairs",
    "wilcoxon_signed_rank",
]
