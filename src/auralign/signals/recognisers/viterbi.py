"""Viterbi searches for left-to-right models, batched over clips.

Scores are natural-log probabilities. A path stays in a state (`stay`) or leaves it (`leave`), and
the time loop runs once for all clips of a batch; clips shorter than the batch are padded, and
what lies beyond `lengths` reaches no result. Rabiner, Proc. IEEE 1989, eq. 30-35.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Path(NamedTuple):
    """The best path: its log-probability `[batch]` and its state at each frame `[batch, frames]`.

    The score is -inf where no path fits into the clip; the states then mean nothing.
    """

    score: Float
    states: Int
    entered: Bool
    """`[batch, frames]`: whether the frame is the first in its state."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The states a clip must pass through in order, all `[batch, places]`.

    state   index of the model state at this place
    skip    how many places may be skipped on the way in (an optional pause); 0 for none
    start   places where a path may begin
    end     places where a path may end
    """

    state: Int
    skip: Int
    start: Bool
    end: Bool


def align(
    emission: NDArray[np.float32], stay: Float, leave: Float, chain: Chain, lengths: Int
) -> Path:
    """The best path through each clip's chain; the path's states are *places* in the chain.

    emission      log-likelihood of every model state, `[batch, frames, states]`
    stay, leave   log-probabilities, `[states]`
    lengths       frames of each clip, `[batch]`
    """
    emission = np.take_along_axis(emission, chain.state[:, None], axis=2)
    stay, leave = stay[chain.state], leave[chain.state]
    source = np.maximum(np.arange(chain.state.shape[1]) - 1 - chain.skip, 0)
    closed = np.where(chain.skip > 0, 0.0, -np.inf)
    score = np.where(chain.start, emission[:, 0], -np.inf)
    final = score.copy()
    steps = np.zeros((emission.shape[1], *score.shape), dtype=np.int32)
    stepped = np.full(score.shape, -np.inf)
    for t in range(1, emission.shape[1]):
        left = score + leave
        stepped[:, 1:] = left[:, :-1]
        skipped = np.take_along_axis(left, source, axis=1) + closed
        moved = np.maximum(stepped, skipped)
        stayed = score + stay
        steps[t] = (moved > stayed) * np.where(skipped > stepped, 1 + chain.skip, 1)
        score = np.maximum(stayed, moved) + emission[:, t]
        final[lengths - 1 == t] = score[lengths - 1 == t]
    return _best_end(np.where(chain.end, final + leave, -np.inf), steps, lengths)


def decode(
    emission: NDArray[np.float32],
    stay: Float,
    leave: Float,
    first: Int,
    start: Float,
    grammar: Float,
    lengths: Int,
) -> Path:
    """The best path through the sequences of units of a grammar; its states are model states.

    first     the first state of each unit, `[units]`, rising; a unit ends before the next begins
              and has at least two states
    start     score of beginning with each unit, `[units]`
    grammar   score of each unit (column) after each unit (row), `[units, units]`

    Other arguments as in `align`.
    """
    last = np.append(first[1:], stay.size) - 1
    score = np.full((emission.shape[0], stay.size), -np.inf)
    score[:, first] = start + emission[:, 0, first]
    final = score.copy()
    steps = np.zeros((emission.shape[1], *score.shape), dtype=np.int32)
    moved = np.empty_like(score)
    came_by = np.ones(score.shape, dtype=np.int32)
    for t in range(1, emission.shape[1]):
        left = score + leave
        moved[:, 1:] = left[:, :-1]
        arriving = left[:, last, None] + grammar
        moved[:, first] = arriving.max(axis=1)
        came_by[:, first] = first - last[arriving.argmax(axis=1)]
        stayed = score + stay
        steps[t] = (moved > stayed) * came_by
        score = np.maximum(stayed, moved) + emission[:, t]
        final[lengths - 1 == t] = score[lengths - 1 == t]
    ended = np.full(final.shape, -np.inf)
    ended[:, last] = (final + leave)[:, last]
    return _best_end(ended, steps, lengths)


def _best_end(ended: Float, steps: NDArray[np.int32], lengths: Int) -> Path:
    """Walk back from each clip's best last place; `steps` says how far each place was come from.

    ended   score of ending at each place, `[batch, places]`
    steps   `[frames, batch, places]`, 0 for staying
    """
    rows, place = np.arange(len(ended)), ended.argmax(axis=1)
    states = np.zeros((len(ended), len(steps)), dtype=np.int64)
    entered = np.zeros(states.shape, dtype=bool)
    for t in range(len(steps) - 1, -1, -1):
        inside = t < lengths
        step = np.where(inside, steps[t, rows, place], 0)
        states[:, t], entered[:, t] = place, inside & ((step != 0) | (t == 0))
        place = place - step
    return Path(ended.max(axis=1), states, entered)
