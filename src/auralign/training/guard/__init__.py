"""A guard against reward hacking: it knows how a policy sounded before, and asks a rule book.

rules               what goes wrong, the band of each rule and its published case
watch               the guard, called during training; `probe` is what it hears
runs                what the rules say of a run that is there
over_optimisation   a gold reward against a proxy, over the square root of KL
"""

from auralign.training.guard.evidence import Evidence, Verdict
from auralign.training.guard.over_optimisation import (
    CurveFit,
    best_of_n_gold,
    best_of_n_kl,
    fit_curve,
)
from auralign.training.guard.probe import Probe
from auralign.training.guard.rule import Finding, Rule, judge
from auralign.training.guard.rules import RULES
from auralign.training.guard.runs import watched_trainings
from auralign.training.guard.watch import Guard

__all__ = [
    "RULES",
    "CurveFit",
    "Evidence",
    "Finding",
    "Guard",
    "Probe",
    "Rule",
    "Verdict",
    "best_of_n_gold",
    "best_of_n_kl",
    "fit_curve",
    "judge",
    "watched_trainings",
]
