"""Preferences that need no listener: ladders of degradations whose order is known beforehand.

An order is asserted only within one recording, one operation and one direction, on the dimension
of judgement that the operation is about, and never on `overall`.
"""

from auralign.preferences.ladders.alignment import with_word_times
from auralign.preferences.ladders.families import FAMILIES, OPERATIONS, operations
from auralign.preferences.ladders.folder import read_recordings
from auralign.preferences.ladders.joining import join_recordings
from auralign.preferences.ladders.ladder import Ladder, Rung, Skipped, build_ladder, ladder_seed
from auralign.preferences.ladders.operation import Operation, Order
from auralign.preferences.ladders.pairs import cap_synthetic, ladder_judgements, ladder_pairs
from auralign.preferences.ladders.recording import Recording
from auralign.preferences.ladders.splits import hold_out
from auralign.preferences.ladders.study import Settings, about_operation, write_ladders

__all__ = [
    "FAMILIES",
    "OPERATIONS",
    "Ladder",
    "Operation",
    "Order",
    "Recording",
    "Rung",
    "Settings",
    "Skipped",
    "about_operation",
    "build_ladder",
    "cap_synthetic",
    "hold_out",
    "join_recordings",
    "ladder_judgements",
    "ladder_pairs",
    "ladder_seed",
    "operations",
    "read_recordings",
    "with_word_times",
    "write_ladders",
]
