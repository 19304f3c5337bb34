"""Did it get better, and not merely better at fooling a measure? Win rates, signals, failures."""

from auralign.evaluation.failures import FailureRow, Symptoms, diagnose
from auralign.evaluation.signals import SignalRow, compare_signals, measure
from auralign.evaluation.win_rates import listener_win_rates, system_win_rate

__all__ = [
    "FailureRow",
    "SignalRow",
    "Symptoms",
    "compare_signals",
    "diagnose",
    "listener_win_rates",
    "measure",
    "system_win_rate",
]
