"""A connected-word recogniser: whole-word hidden Markov models (Rabiner, Proc. IEEE 1989).

Each word of the vocabulary is a left-to-right chain of states, a pause is one more, every state
emits MFCC frames from a mixture of diagonal Gaussians, and a clip is any sequence of words and
pauses. Training is Viterbi re-estimation on whole utterances with known words, from a flat start.
It is small, needs no deep-learning framework and hears a thousand clips in seconds.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auralign.audio.mfcc import mfcc
from auralign.errors import DataError
from auralign.files import reading, write_bytes
from auralign.signals.recognisers import viterbi
from auralign.signals.recognisers.gaussian_mixtures import Mixtures
from auralign.signals.recognisers.viterbi import Float, Int
from auralign.signals.recognisers.word_topology import PAUSE, Topology
from auralign.types import Audio

Frames = NDArray[np.float32]

BATCH = 64
"""Clips of similar length that are searched together."""

ROUNDS_BETWEEN_SPLITS = 2


@dataclass(frozen=True, eq=False)
class HmmRecogniser:
    """Transcribes speech as words of a closed vocabulary.

    stay                log-probability of staying in a state for another frame, `[states]`
    insertion_penalty   log-score paid for each word of a transcript; larger means fewer words
    """

    topology: Topology
    mixtures: Mixtures
    stay: Float
    insertion_penalty: float

    @classmethod
    def fit(
        cls,
        audios: Sequence[Audio],
        texts: Sequence[str],
        *,
        rng: np.random.Generator,
        states_per_word: int = 10,
        n_components: int = 4,
        n_rounds: int = 8,
        insertion_penalty: float = 15.0,
    ) -> HmmRecogniser:
        """Trained on audios and the words spoken in them.

        states_per_word   a word lasts at least as many frames of 10 ms
        n_components      Gaussians per state, a power of two: they double every second round
        n_rounds          rounds of alignment and re-estimation

        Raises DataError when there is nothing to train on or a clip is too short for its text.
        """
        words = tuple(sorted({word for text in texts for word in text.split()}))
        if not words or len(audios) != len(texts):
            raise DataError(
                "a recogniser needs clips and the words spoken in each, got "
                f"{len(audios)} clips and {len(texts)} texts with {len(words)} different words"
            )
        features = _features(audios)
        model = _flat_start(Topology(words, states_per_word), features, texts, insertion_penalty)
        for done in range(n_rounds):
            grown = len(model.mixtures.means) >= n_components
            if done and done % ROUNDS_BETWEEN_SPLITS == 0 and not grown:
                model = replace(model, mixtures=model.mixtures.split(rng))
            model = _reestimate(model, features, texts)
        return model

    def transcribe(self, audios: Sequence[Audio]) -> list[str]:
        """The words heard in each clip; empty where none was heard."""
        texts = [""] * len(audios)
        for rows, emission, lengths in self._batches(_features(audios)):
            path = self._hear(emission, lengths)
            for place, row in enumerate(rows):
                if np.isfinite(path.score[place]):
                    texts[row] = self.topology.text(path.states[place, path.entered[place]])
        return texts

    def log_likelihood_ratio(self, audios: Sequence[Audio], texts: Sequence[str]) -> Float:
        """How well each clip fits its text, `[clips]`: log-score per frame, at most 0.

        The score of the text's best alignment less that of the best transcript, both with the
        insertion penalty: 0 where the recogniser hears exactly the text, -inf where the clip is
        too short for it. Raises DataError for a word that the recogniser does not know.
        """
        ratio = np.full(len(audios), -np.inf)
        for rows, emission, lengths in self._batches(_features(audios)):
            wanted = [texts[row] for row in rows]
            n_words = np.array([len(text.split()) for text in wanted])
            aligned = self._align(emission, lengths, wanted).score
            fits = np.isfinite(aligned)
            gap = (aligned - self.insertion_penalty * n_words)[fits]
            gap -= self._hear(emission, lengths).score[fits]
            # The text is one of the transcripts, so only rounding could put it above the best.
            ratio[rows[fits]] = np.minimum(gap, 0.0) / lengths[fits]
        return ratio

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one `.npz` file. Raises StorageError when the disk refuses."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            words=np.array(self.topology.words),
            states_per_word=self.topology.states_per_word,
            stay=self.stay,
            insertion_penalty=self.insertion_penalty,
            **vars(self.mixtures),
        )
        write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> HmmRecogniser:
        """Raises DataError for anything that `save` did not write."""
        with reading(path, "a recogniser written by HmmRecogniser.save"):
            # np.load leaves a file open that it opened itself and cannot read.
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
            words = tuple(str(word) for word in arrays.pop("words"))
            return cls(
                topology=Topology(words, int(arrays.pop("states_per_word"))),
                stay=arrays.pop("stay"),
                insertion_penalty=float(arrays.pop("insertion_penalty")),
                mixtures=Mixtures(**arrays),
            )

    @property
    def _leave(self) -> Float:
        return np.asarray(np.log1p(-np.exp(self.stay)))

    def _batches(self, features: Sequence[Frames]) -> Iterator[tuple[Int, Frames, Int]]:
        """Rows, padded log-likelihoods `[batch, frames, states]` and lengths, shortest first."""
        n_frames = np.array([len(frames) for frames in features], dtype=np.int64)
        order = np.argsort(n_frames, kind="stable")
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            shape = len(rows), n_frames[rows].max(), self.topology.n_states
            emission = np.zeros(shape, dtype=np.float32)
            for place, row in enumerate(rows):
                emission[place, : n_frames[row]] = self.mixtures.log_likelihood(features[row])
            yield rows, emission, n_frames[rows]

    def _hear(self, emission: Frames, lengths: Int) -> viterbi.Path:
        start = np.append(0.0, np.full(len(self.topology.words), -self.insertion_penalty))
        grammar = np.tile(start, (start.size, 1))
        grammar[PAUSE, PAUSE] = -np.inf
        first = self.topology.first
        return viterbi.decode(emission, self.stay, self._leave, first, start, grammar, lengths)

    def _align(self, emission: Frames, lengths: Int, texts: Sequence[str]) -> viterbi.Path:
        """The best path through each clip's text; its states are states of the model."""
        chain = self.topology.chains(texts)
        path = viterbi.align(emission, self.stay, self._leave, chain, lengths)
        return path._replace(states=np.take_along_axis(chain.state, path.states, axis=1))


def _features(audios: Sequence[Audio]) -> list[Frames]:
    return [mfcc(audio) for audio in audios]


def _flat_start(
    topology: Topology,
    features: Sequence[Frames],
    texts: Sequence[str],
    insertion_penalty: float,
) -> HmmRecogniser:
    """One Gaussian per state, from clips cut into equal parts for the states of their texts."""
    cuts = [topology.equal_cut(t, len(f)) for f, t in zip(features, texts, strict=True)]
    mixtures = Mixtures.single(np.concatenate(features), np.concatenate(cuts), topology.n_states)
    stay = np.full(topology.n_states, np.log(0.5))
    return HmmRecogniser(topology, mixtures, stay, insertion_penalty)


def _reestimate(
    model: HmmRecogniser, features: Sequence[Frames], texts: Sequence[str]
) -> HmmRecogniser:
    """One round of Viterbi training: align every clip with its text, count and average."""
    frames, states, entered = [], [], []
    for rows, emission, lengths in model._batches(features):
        path = model._align(emission, lengths, [texts[row] for row in rows])
        for place, row in enumerate(rows):
            if not np.isfinite(path.score[place]):
                raise DataError(
                    f"clip {row} has {lengths[place]} frames of 10 ms, too few for the words "
                    f"'{texts[row]}': leave it out or use fewer states per word"
                )
            frames.append(features[row])
            states.append(path.states[place, : lengths[place]])
            entered.append(path.entered[place, : lengths[place]])
    return _refit(model, *(np.concatenate(parts) for parts in (frames, states, entered)))


def _refit(
    model: HmmRecogniser, frames: Frames, states: Int, entered: NDArray[np.bool_]
) -> HmmRecogniser:
    n = model.topology.n_states
    visits, total = np.bincount(states[entered], minlength=n), np.bincount(states, minlength=n)
    # One more of each, so that no state becomes impossible to stay in or to leave.
    stay = np.log((total - visits + 1) / (total + 2))
    return replace(model, mixtures=model.mixtures.refit(frames, states), stay=stay)
