"""Small neural word recognisers over log-mel frames, trained with CTC (Graves et al. 2006).

Two architectures, so that who evaluates need not hear like who rewards: `convolutional` is the
recogniser of the evaluation, trained on clean speech only; `recurrent` is the pretrained encoder
of the reward model, trained on the generator's own mixed corpus.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from auralign.audio.clips import resample
from auralign.audio.features import MelSettings, log_mel
from auralign.errors import DataError, did_you_mean
from auralign.files import reading, write_bytes
from auralign.types import Audio

Architecture = Literal["convolutional", "recurrent"]
Progress = Callable[[int, int], None]
"""Called with the epochs done and the epochs in all."""

_MEL = MelSettings(n_mels=48, hop=160)
_SUBSAMPLING = 4
_BLANK = 0
MAX_NLL_PER_WORD = 20.0
_WIDTH = 128


class Heard(NamedTuple):
    """What a network makes of a batch: hidden and logits `[batch, frames, ...]`, and lengths."""

    hidden: Tensor
    logits: Tensor
    lengths: Tensor


class Hearing(NamedTuple):
    """What a recogniser makes of clips.

    transcripts    as `CtcRecogniser.transcribe` has them
    nll_per_word   negative log-likelihood of the asked text, nats a word, `[clips]`; capped at
                   `MAX_NLL_PER_WORD`, which is also what a clip too short for its text gets
    excess         by how much that exceeds the same of the heard text (goodness of pronunciation,
                   Witt & Young 2000), nats an asked word, `[clips]`; at least 0
    pooled         mean and maximum over time of the hidden states, `[clips, 2 * width]`
    """

    transcripts: list[str]
    nll_per_word: NDArray[np.float64]
    excess: NDArray[np.float64]
    pooled: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CtcRecogniser:
    """Transcribes speech as words of a closed vocabulary."""

    network: nn.Module
    architecture: Architecture
    words: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        audios: Sequence[Audio],
        texts: Sequence[str],
        *,
        architecture: Architecture,
        n_epochs: int,
        generator: torch.Generator,
        progress: Progress = lambda done, total: None,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
    ) -> CtcRecogniser:
        """Trains on audios and the words spoken in them; one learning-rate cycle."""
        words = tuple(sorted({word for text in texts for word in text.split()}))
        network = _new_network(architecture, len(words) + 1, generator)
        recogniser = cls(network, architecture, words)
        features = [_features(audio) for audio in audios]
        targets = recogniser._targets(texts)
        n_steps = n_epochs * -(-len(audios) // batch_size)
        optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, n_steps)
        for epoch in range(n_epochs):
            for rows in torch.randperm(len(audios), generator=generator).split(batch_size):
                batch = [_masked(features[i], generator) for i in rows]
                loss = _nll(
                    _hear(network, batch),
                    [targets[i] for i in rows],
                    zero_infinity=True,  # a clip too short for its text teaches nothing
                ).mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimiser.step()
                schedule.step()
            progress(epoch + 1, n_epochs)
        network.eval().requires_grad_(False)
        return recogniser

    def transcribe(self, audios: Sequence[Audio]) -> list[str]:
        """The words heard in each audio: greedy decoding, repeats merged, blanks dropped."""
        texts = [""] * len(audios)
        for rows, heard in self._batches(audios):
            for i, text in zip(rows, self._read(heard), strict=True):
                texts[i] = text
        return texts

    def listen(self, audios: Sequence[Audio], texts: Sequence[str]) -> Hearing:
        """Everything that can be had from one pass over clips that were asked to say `texts`.

        Raises DataError for a word that the recogniser does not know.
        """
        targets = self._targets(texts)
        transcripts = [""] * len(audios)
        asked_nll, heard_nll = np.zeros(len(audios)), np.zeros(len(audios))
        pooled: dict[int, NDArray[np.float32]] = {}
        for rows, heard in self._batches(audios):
            n_words = _lengths([targets[i] for i in rows])
            read = list(self._read(heard))
            asked_nll[rows] = (_nll(heard, [targets[i] for i in rows]) / n_words).double().numpy()
            heard_nll[rows] = (_nll(heard, self._targets(read)) / n_words).double().numpy()
            pooled |= zip(rows, _pool(heard), strict=True)
            for i, text in zip(rows, read, strict=True):
                transcripts[i] = text
        nll = np.minimum(asked_nll, MAX_NLL_PER_WORD)
        excess = np.maximum(nll - heard_nll, 0)
        return Hearing(transcripts, nll, excess, np.stack([pooled[i] for i in range(len(audios))]))

    def _read(self, heard: Heard) -> Iterator[str]:
        for path, n in zip(heard.logits.argmax(-1), heard.lengths, strict=True):
            symbols = torch.unique_consecutive(path[:n]).tolist()
            yield " ".join(self.words[s - 1] for s in symbols if s != _BLANK)

    def _targets(self, texts: Sequence[str]) -> list[Tensor]:
        symbols = ([self._symbol(word) for word in text.split()] for text in texts)
        return [torch.tensor(of_text, dtype=torch.int64) for of_text in symbols]

    def _symbol(self, word: str) -> int:
        try:
            return 1 + self.words.index(word)
        except ValueError:
            raise DataError(
                f"the recogniser does not know the word '{word}'{did_you_mean(word, self.words)}: "
                f"use one of {', '.join(self.words)}"
            ) from None

    @torch.no_grad()
    def _batches(
        self, audios: Sequence[Audio], batch_size: int = 64
    ) -> Iterator[tuple[list[int], Heard]]:
        features = [_features(audio) for audio in audios]
        order = sorted(range(len(features)), key=lambda i: len(features[i]))
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield rows, _hear(self.network, [features[i] for i in rows])

    def save(self, path: Path) -> None:
        about = {"architecture": self.architecture, "words": list(self.words)}
        buffer = io.BytesIO()
        torch.save({**about, "network": self.network.state_dict()}, buffer)
        write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> CtcRecogniser:
        """Raises DataError for anything that `save` did not write."""
        with reading(path, "a recogniser written by CtcRecogniser.save"):
            stored = torch.load(path, weights_only=True)
            words = tuple(stored["words"])
            network = _new_network(stored["architecture"], len(words) + 1, torch.Generator())
            network.load_state_dict(stored["network"])
            return cls(network.eval().requires_grad_(False), stored["architecture"], words)


class _Convolutional(nn.Module):
    """Three dilated residual convolutions at a quarter of the frame rate."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(_MEL.n_mels, _WIDTH, 5, stride=2, padding=2)
        self.second = nn.Conv1d(_WIDTH, _WIDTH, 5, stride=2, padding=2)
        self.dilated = nn.ModuleList(
            nn.Conv1d(_WIDTH, _WIDTH, 5, padding=2 * d, dilation=d) for d in (1, 2, 4)
        )

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        # Behind its end a clip is zero for every layer, as it is without longer clips beside it.
        x = _cut(F.gelu(self.first(features.transpose(1, 2))), _quotient(lengths, 2))
        x = _cut(F.gelu(self.second(x)), _quotient(lengths, _SUBSAMPLING))
        for conv in self.dilated:
            normal = F.layer_norm(x.transpose(1, 2), (_WIDTH,)).transpose(1, 2)
            x = x + _cut(F.gelu(conv(normal)), _quotient(lengths, _SUBSAMPLING))
        return x.transpose(1, 2)


class _Recurrent(nn.Module):
    """A strided convolution and a bidirectional recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(_MEL.n_mels, _WIDTH, 7, stride=_SUBSAMPLING, padding=3)
        self.recurrent = nn.GRU(_WIDTH, _WIDTH // 2, batch_first=True, bidirectional=True)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        x = F.gelu(self.first(features.transpose(1, 2))).transpose(1, 2)
        # Packed, so that the backward direction starts at a clip's own end.
        packed = nn.utils.rnn.pack_padded_sequence(
            x, _quotient(lengths, _SUBSAMPLING), batch_first=True, enforce_sorted=False
        )
        return nn.utils.rnn.pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)[0]


def _cut(x: Tensor, lengths: Tensor) -> Tensor:
    """`[batch, channels, frames]` with zeros from each clip's length on."""
    return x * (torch.arange(x.shape[2]) < lengths[:, None])[:, None]


def _quotient(lengths: Tensor, by: int) -> Tensor:
    """Frames left after striding, the last one perhaps not full."""
    return (lengths + by - 1) // by


_ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "convolutional": _Convolutional,
    "recurrent": _Recurrent,
}


def _new_network(
    architecture: Architecture, n_symbols: int, generator: torch.Generator
) -> nn.Module:
    with torch.device("meta"):
        network = nn.ModuleDict(
            {"encoder": _ARCHITECTURES[architecture](), "head": nn.Linear(_WIDTH, n_symbols)}
        )
    network.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in network.parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.0
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return network


def _features(audio: Audio) -> Tensor:
    """Mean-normalised log-mel `[frames, mels]`: the level of a clip must not matter."""
    frames = torch.from_numpy(log_mel(resample(audio, _MEL.sample_rate).mono()[None], _MEL)[0])
    return frames - frames.mean()


def _masked(features: Tensor, generator: torch.Generator) -> Tensor:
    """SpecAugment's two masks (arXiv 1904.08779): one band and one stretch of time, set to 0."""
    n_frames, n_mels = features.shape
    band, stretch, low, start = torch.rand(4, generator=generator).tolist()
    width, length = int(10 * band), int(0.1 * n_frames * stretch)
    low_mel, first = int(low * (n_mels - width)), int(start * (n_frames - length))
    features = features.clone()
    features[:, low_mel : low_mel + width] = 0.0
    features[first : first + length] = 0.0
    return features


def _hear(network: nn.Module, features: Sequence[Tensor]) -> Heard:
    padded = nn.utils.rnn.pad_sequence(list(features), batch_first=True)
    lengths = _lengths(features)
    hidden = network["encoder"](padded, lengths)  # type: ignore[index]
    return Heard(hidden, network["head"](hidden), _quotient(lengths, _SUBSAMPLING))  # type: ignore[index]


def _pool(heard: Heard) -> NDArray[np.float32]:
    inside = [states[:n] for states, n in zip(heard.hidden, heard.lengths, strict=True)]
    return torch.stack([torch.cat([s.mean(0), s.amax(0)]) for s in inside]).numpy()


def _nll(heard: Heard, targets: Sequence[Tensor], *, zero_infinity: bool = False) -> Tensor:
    """`[batch]` in nats; a clip too short for its text has infinity, or zero and no gradient."""
    return F.ctc_loss(
        heard.logits.log_softmax(-1).transpose(0, 1),
        torch.cat(list(targets)),
        heard.lengths,
        _lengths(targets),
        blank=_BLANK,
        reduction="none",
        zero_infinity=zero_infinity,
    )


def _lengths(tensors: Sequence[Tensor]) -> Tensor:
    return torch.tensor([len(t) for t in tensors])
