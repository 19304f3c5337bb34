"""Preferences and where they come from: pairs by named rules, and panels of simulated listeners."""

from auralign.preferences.ears import PERCEPTS, Ears
from auralign.preferences.pairs import pairs_from_rewards, pairs_from_votes
from auralign.preferences.panel import Panel, draw_trials

__all__ = [
    "PERCEPTS",
    "Ears",
    "Panel",
    "draw_trials",
    "pairs_from_rewards",
    "pairs_from_votes",
]
