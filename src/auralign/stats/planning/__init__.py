"""Planning of listening studies: power, sample size, designs, and which pairs to ask next."""

from auralign.stats.planning.active import NextPairs, information_gain, next_pairs
from auralign.stats.planning.confidence_sequence import WinRateSequence, win_rate_sequence
from auralign.stats.planning.design import (
    ComparisonDesign,
    DesignEfficiency,
    balanced_design,
    design_efficiency,
    design_of,
    optimal_design,
    random_design,
    ring_design,
    round_robin_design,
    star_design,
)
from auralign.stats.planning.merge_search import SearchedRanking, merge_search
from auralign.stats.planning.pilot import (
    Pilot,
    PowerCurve,
    pilot_power,
    read_pilot,
    simulate_study,
)
from auralign.stats.planning.power import (
    critical_value,
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
from auralign.stats.planning.study_size import (
    StudySize,
    acr_study,
    design_effect,
    mushra_study,
    round_robin_study,
    win_rate_study,
)

__all__ = [
    "ComparisonDesign",
    "DesignEfficiency",
    "NextPairs",
    "Pilot",
    "PowerCurve",
    "SearchedRanking",
    "StudySize",
    "WinRateSequence",
    "acr_study",
    "balanced_design",
    "critical_value",
    "design_effect",
    "design_efficiency",
    "design_of",
    "information_gain",
    "merge_search",
    "mushra_study",
    "next_pairs",
    "optimal_design",
    "paired_t_power",
    "paired_t_sample_size",
    "pilot_power",
    "random_design",
    "read_pilot",
    "ring_design",
    "round_robin_design",
    "round_robin_power",
    "round_robin_sample_size",
    "round_robin_study",
    "sign_test_power",
    "sign_test_sample_size",
    "simulate_study",
    "star_design",
    "two_sample_t_power",
    "two_sample_t_sample_size",
    "win_rate_sequence",
    "win_rate_study",
]
