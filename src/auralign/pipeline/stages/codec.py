"""codec: residual k-means on the corpus, and the corpus as tokens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.token_files import read_token_archive, write_token_archive
from auralign.pipeline.context import StageContext
from auralign.pipeline.stages.corpus import Corpus
from auralign.policies.codec import KMeansCodec, fit_kmeans_codec, reconstruction_error
from auralign.types import Tokens


class CodecOptions(StrictModel):
    """`stack` log-mel frames of 8 ms make one token frame; k-means sees `n_fit` clips."""

    stage: Literal["codec"] = "codec"
    n_codebooks: int = Field(ge=1, le=16)
    codebook_size: int = Field(ge=2)
    stack: int = Field(ge=1)
    n_iterations: int = Field(ge=1)
    n_fit: int = Field(ge=1)


@dataclass(frozen=True)
class TrainedCodec:
    """The codec, and the tokens of the corpus by clip id."""

    codec: KMeansCodec
    tokens: dict[str, Tokens]

    @classmethod
    def load(cls, folder: Path) -> TrainedCodec:
        return cls(
            KMeansCodec.load(folder / "codec.npz"), read_token_archive(folder / "tokens.npz")
        )


def run_codec(options: CodecOptions, context: StageContext, corpus: Corpus) -> TrainedCodec:
    """Fits the codec on the first clips of the mixed corpus and encodes all of it."""
    audios = corpus.audios(corpus.mixed)
    context.progress(0.2, "k-means")
    codec = fit_kmeans_codec(
        audios[: options.n_fit],
        n_codebooks=options.n_codebooks,
        codebook_size=options.codebook_size,
        stack=options.stack,
        n_iterations=options.n_iterations,
        generator=context.generator("k-means"),
    )
    context.progress(0.7, "encoding")
    codes = codec.encode(audios)
    codec.save(context.folder / "codec.npz")
    tokens = {clip.id: codes_ for clip, codes_ in zip(corpus.mixed, codes, strict=True)}
    write_token_archive(context.folder / "tokens.npz", tokens)
    error_db = 20 / np.log(10) * reconstruction_error(codec, audios[-50:]).mean()
    context.work.summary = (
        f"{codec.n_codebooks} codebooks of {codec.codebook_size}, {codec.frame_rate:.1f} frames/s, "
        f"log-mel error {error_db:.1f} dB"
    )
    return TrainedCodec(codec, tokens)
