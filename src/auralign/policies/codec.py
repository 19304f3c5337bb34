"""A discrete audio codec trained in seconds: residual k-means over stacked log-mel frames.

Encoding stacks `stack` neighbouring log-mel frames into one vector and quantises it by
`n_codebooks` k-means codebooks, each on the residual of the ones before (residual vector
quantisation, Juang & Gray 1982; as in SoundStream, arXiv 2107.03312). Decoding adds the centres up
and inverts the mel spectrum by `audio.griffin_lim`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.audio.clips import require_usable, resample
from auralign.audio.features import Float, MelSettings, log_mel
from auralign.audio.griffin_lim import mel_to_audio
from auralign.files import reading
from auralign.types import Audio, Tokens

_BATCH = 16


@dataclass(frozen=True, eq=False)
class KMeansCodec:
    """Tokens `[codebook, time]` at `sample_rate / (hop * stack)` frames a second.

    centres   float32 [n_codebooks, codebook_size, stack * n_mels]
    """

    centres: Float
    stack: int
    mel: MelSettings = field(default_factory=MelSettings)

    @property
    def sample_rate(self) -> int:
        return self.mel.sample_rate

    @property
    def n_codebooks(self) -> int:
        return int(self.centres.shape[0])

    @property
    def codebook_size(self) -> int:
        return int(self.centres.shape[1])

    @property
    def frame_rate(self) -> float:
        """Token frames a second."""
        return self.mel.sample_rate / (self.mel.hop * self.stack)

    def encode(self, audios: Sequence[Audio]) -> list[Tokens]:
        """Tokens `[codebook, time]` of each audio; any rate and channel count is converted.

        Raises AudioError for a clip that is empty, not finite, silent or shorter than one frame.
        """
        vectors = [stacked_log_mel(audio, self.mel, self.stack) for audio in audios]
        codes = _quantise(torch.from_numpy(np.concatenate(vectors)), torch.from_numpy(self.centres))
        ends = np.cumsum([len(v) for v in vectors])[:-1]
        return [part.T.copy() for part in np.split(codes.numpy(), ends)]

    def decode(self, tokens: Sequence[Tokens], *, n_iterations: int = 24) -> list[Audio]:
        """Mono audio of each `[codebook, time]`, `time * stack * hop` samples long.

        Only clips of one length share a batch, so that a clip sounds the same in any company.
        `n_iterations` is that of the phase reconstruction.
        """
        lengths = [clip.shape[1] for clip in tokens]
        order = sorted(range(len(tokens)), key=lengths.__getitem__)
        equal = (list(rows) for _, rows in groupby(order, key=lengths.__getitem__))
        batches = [rows[i : i + _BATCH] for rows in equal for i in range(0, len(rows), _BATCH)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            decode = partial(self._decode_batch, n_iterations=n_iterations)
            decoded = pool.map(decode, [[tokens[i] for i in b] for b in batches])
            audios = dict(zip(chain(*batches), chain(*decoded), strict=True))
        return [audios[i] for i in range(len(tokens))]

    def _decode_batch(self, tokens: Sequence[Tokens], *, n_iterations: int) -> list[Audio]:
        """Clips of one length; a last frame at the floor closes the half window at the end."""
        mels = np.stack([self._dequantise(codes) for codes in tokens])
        closed = np.pad(mels, ((0, 0), (0, 1), (0, 0)), constant_values=np.log(self.mel.floor))
        signals = np.clip(mel_to_audio(closed, self.mel, n_iterations=n_iterations), -1.0, 1.0)
        return [Audio(signal[None], self.sample_rate) for signal in signals]

    def _dequantise(self, codes: Tokens) -> Float:
        """Log-mel frames `[time * stack, n_mels]` of tokens `[codebook, time]`."""
        parts = [book[row] for book, row in zip(self.centres, codes, strict=True)]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float32).reshape(-1, self.mel.n_mels)

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            mel = json.dumps(asdict(self.mel))
            np.savez(file, centres=self.centres, stack=self.stack, mel=mel)

    @classmethod
    def load(cls, path: Path) -> KMeansCodec:
        """Raises DataError for anything that `save` did not write."""
        # np.load leaves a file open that it opened itself and cannot read.
        with (
            reading(path, "a codec written by KMeansCodec.save"),
            path.open("rb") as file,
            np.load(file) as arrays,
        ):
            mel = MelSettings(**json.loads(str(arrays["mel"])))
            return cls(centres=arrays["centres"], stack=int(arrays["stack"]), mel=mel)


def stacked_log_mel(audio: Audio, mel: MelSettings, stack: int) -> Float:
    """Vectors `[time, stack * n_mels]` of one audio; the last incomplete stack is dropped."""
    frame_s = mel.hop * stack / mel.sample_rate
    require_usable(audio, "the codec's input", min_duration_s=frame_s)
    samples = resample(audio, mel.sample_rate).mono()
    frames: Float = log_mel(samples[None], mel)[0]
    n = len(samples) // (mel.hop * stack)
    return frames[: n * stack].reshape(n, stack * mel.n_mels)


def fit_kmeans_codec(
    audios: Sequence[Audio],
    *,
    n_codebooks: int,
    codebook_size: int,
    stack: int,
    n_iterations: int,
    generator: torch.Generator,
    mel: MelSettings | None = None,
) -> KMeansCodec:
    """Fits one k-means codebook after the other, each on what the ones before left over."""
    mel = mel or MelSettings()
    residual = torch.from_numpy(np.concatenate([stacked_log_mel(a, mel, stack) for a in audios]))
    books = []
    for _ in range(n_codebooks):
        centres = _kmeans(residual, codebook_size, n_iterations, generator)
        residual = residual - centres[_nearest(residual, centres)]
        books.append(centres)
    return KMeansCodec(centres=torch.stack(books).numpy(), stack=stack, mel=mel)


def _kmeans(
    points: torch.Tensor, k: int, n_iterations: int, generator: torch.Generator
) -> torch.Tensor:
    """Lloyd's algorithm: centres `[k, dim]` of points `[n, dim]`; an empty cluster is reseeded."""
    if len(points) < k:
        picks = torch.arange(k) % len(points)
    else:
        picks = torch.randperm(len(points), generator=generator)[:k]
    centres = points[picks].clone()
    for _ in range(n_iterations):
        nearest = _nearest(points, centres)
        counts = torch.bincount(nearest, minlength=k)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = sums / counts.clamp(min=1)[:, None]
        empty = (counts == 0).nonzero()[:, 0]
        strays = torch.randint(len(points), (len(empty),), generator=generator)
        centres[empty] = points[strays]
    return centres


def _nearest(points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Index of the nearest centre for each point, in slices that bound the memory."""
    half_norms = (centres**2).sum(1) / 2
    return torch.cat([(half_norms - part @ centres.T).argmin(1) for part in points.split(8192)])


def _quantise(vectors: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Residual codes `[time, codebook]` of vectors `[time, dim]`."""
    codes: list[torch.Tensor] = []
    for book in centres:
        codes.append(_nearest(vectors, book))
        vectors = vectors - book[codes[-1]]
    return torch.stack(codes, dim=1)


def reconstruction_error(codec: KMeansCodec, audios: Sequence[Audio]) -> NDArray[np.float64]:
    """Root mean squared log-mel error (nats) between each audio and its decoded codes."""
    errors = []
    for audio, codes in zip(audios, codec.encode(audios), strict=True):
        wanted = stacked_log_mel(audio, codec.mel, codec.stack).reshape(-1, codec.mel.n_mels)
        errors.append(np.sqrt(np.mean((wanted - codec._dequantise(codes)) ** 2)))
    return np.array(errors)
