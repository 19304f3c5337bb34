"""Several rewards of a clip as the one number that a policy is trained on, in stages."""

from auralign.rewards.combining.combination import Combination
from auralign.rewards.combining.harmonic_mean import HarmonicMean, Utility
from auralign.rewards.combining.lagrangian import Constraint, Lagrangian
from auralign.rewards.combining.log_sigmoid import LogSigmoid, Reference
from auralign.rewards.combining.max_min import MaxMin
from auralign.rewards.combining.multipliers import BoundedAscent, ProjectedAscent
from auralign.rewards.combining.scale import Scale
from auralign.rewards.combining.stages import RewardStage, combination_of
from auralign.rewards.combining.threshold_search import ThresholdSearch, search_thresholds
from auralign.rewards.combining.weighted import Weighted

__all__ = [
    "BoundedAscent",
    "Combination",
    "Constraint",
    "HarmonicMean",
    "Lagrangian",
    "LogSigmoid",
    "MaxMin",
    "ProjectedAscent",
    "Reference",
    "RewardStage",
    "Scale",
    "ThresholdSearch",
    "Utility",
    "Weighted",
    "combination_of",
    "search_thresholds",
]
