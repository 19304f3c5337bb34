"""Degradations of known kind and strength, for corpora with flaws and for quality ladders.

Each takes a clip and one number that says how strong it is, and has a value of that number at
which the processing is the identity. What is drawn is drawn from a generator alone, in such a way
that the same state of it draws the same flaws at every strength, more of them or larger ones.
"""

from auralign.audio.degrade.amplitude import clip_at_quantile, clip_hard, mu_law, reduce_bits
from auralign.audio.degrade.band import low_pass
from auralign.audio.degrade.codecs import CODECS, through_codec
from auralign.audio.degrade.events import (
    Event,
    disrupt_events,
    drop_events,
    duplicate_events,
    events_of,
    mix_events,
    reorder_events,
    substitute_events,
)
from auralign.audio.degrade.music import detune_bars
from auralign.audio.degrade.noise import NOISES, add_babble, add_noise
from auralign.audio.degrade.packets import lose_packets
from auralign.audio.degrade.pitch import flatten_intonation, shift_pitch
from auralign.audio.degrade.room import reverberate
from auralign.audio.degrade.spans import (
    Span,
    delete_spans,
    insert_pause,
    repeat_spans,
    shorten_pauses,
    substitute_spans,
    swap_spans,
)
from auralign.audio.degrade.tempo import move_beats, stretch

__all__ = [
    "CODECS",
    "NOISES",
    "Event",
    "Span",
    "add_babble",
    "add_noise",
    "clip_at_quantile",
    "clip_hard",
    "delete_spans",
    "detune_bars",
    "disrupt_events",
    "drop_events",
    "duplicate_events",
    "events_of",
    "flatten_intonation",
    "insert_pause",
    "lose_packets",
    "low_pass",
    "mix_events",
    "move_beats",
    "mu_law",
    "reduce_bits",
    "reorder_events",
    "repeat_spans",
    "reverberate",
    "shift_pitch",
    "shorten_pauses",
    "stretch",
    "substitute_events",
    "substitute_spans",
    "swap_spans",
    "through_codec",
]
