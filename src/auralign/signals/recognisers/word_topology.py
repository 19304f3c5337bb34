"""Which states a vocabulary has, and in which order a text passes through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import DataError, did_you_mean
from auralign.signals.recognisers.viterbi import Chain, Int

PAUSE_STATES = 3
PAUSE = 0


@dataclass(frozen=True, slots=True)
class Topology:
    """Units of a whole-word model: unit 0 is the pause, unit 1 + i is `words[i]`."""

    words: tuple[str, ...]
    states_per_word: int

    @property
    def n_states(self) -> int:
        return PAUSE_STATES + self.states_per_word * len(self.words)

    @property
    def first(self) -> Int:
        """The first state of each unit, `[units]`."""
        return np.append(PAUSE, PAUSE_STATES + self.states_per_word * np.arange(len(self.words)))

    def states(self, unit: int) -> Int:
        n = PAUSE_STATES if unit == PAUSE else self.states_per_word
        return np.arange(self.first[unit], self.first[unit] + n)

    def units(self, text: str) -> list[int]:
        """Raises DataError for a word that is not in the vocabulary."""
        for word in text.split():
            if word not in self.words:
                raise DataError(
                    f"the recogniser does not know the word '{word}'"
                    f"{did_you_mean(word, self.words)}: it knows {', '.join(self.words)}"
                )
        return [1 + self.words.index(word) for word in text.split()]

    def chain(self, text: str) -> Chain:
        """Pause, word, pause, ..., word, pause, where every pause may be skipped, `[1, places]`."""
        sequence = [PAUSE]
        for unit in self.units(text):
            sequence += [unit, PAUSE]
        parts = [self.states(unit) for unit in sequence]
        bounds = np.cumsum([0, *(part.size for part in parts)])
        state = np.concatenate(parts)
        skip = np.zeros_like(state)
        skip[bounds[3:-1:2]] = PAUSE_STATES  # into the second word and later ones
        return Chain(
            state=state[None],
            skip=skip[None],
            start=np.isin(np.arange(state.size), bounds[:2])[None],
            end=np.isin(np.arange(state.size), bounds[-2:] - 1)[None],
        )

    def chains(self, texts: Sequence[str]) -> Chain:
        """The chains of several texts, `[texts, places]`, the shorter ones padded at the end."""
        chains = [self.chain(text) for text in texts]
        n = max(chain.state.shape[1] for chain in chains)
        return Chain(
            *(
                np.concatenate([np.pad(part, ((0, 0), (0, n - part.shape[1]))) for part in parts])
                for parts in zip(*((c.state, c.skip, c.start, c.end) for c in chains), strict=True)
            )
        )

    def equal_cut(self, text: str, n_frames: int) -> Int:
        """State of each frame, `[n_frames]`, when a clip is cut equally: pause, words, pause."""
        units = [PAUSE, *self.units(text), PAUSE]
        states = np.concatenate([self.states(unit) for unit in units])
        return np.asarray(states[np.arange(n_frames) * states.size // n_frames])

    def text(self, entered: Int) -> str:
        """The words that a path enters, given the states it enters in order."""
        begun = entered[np.isin(entered, self.first[1:])]
        return " ".join(self.words[unit - 1] for unit in np.searchsorted(self.first, begun))
