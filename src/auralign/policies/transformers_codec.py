"""Neural codecs of transformers behind the `Codec` protocol: EnCodec, DAC, Mimi, X-Codec.

All four are residual quantisers: the first codebooks of a clip are the same however many follow,
so that `n_codebooks` of a model's codebooks are simply its first ones. Their classes differ in
where the codes are: `[chunk, batch, codebook, time]` for EnCodec, `[batch, codebook, time]` for
the others; here they are `[codebook, time]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from auralign.audio.clips import require_usable, resample
from auralign.errors import ConfigError
from auralign.policies import hub
from auralign.policies.layouts import require_clips
from auralign.types import Audio, Tokens

KINDS = ("encodec", "dac", "mimi", "xcodec")
"""The `model_type` of their configs."""


@dataclass(frozen=True, eq=False)
class TransformersCodec:
    """A `Codec` over a model of transformers, with the first `n_codebooks` of its codebooks.

    Clips are encoded and decoded one by one, because the convolutions of these models would hear
    the padding of a batch. Raises ConfigError for a model of another class, for more codebooks than
    it has, and for EnCodec at 48 kHz, which keeps a loudness beside the codes.
    """

    model: Any
    n_codebooks: int

    def __post_init__(self) -> None:
        config = self.model.config
        _require_codec(config)
        if getattr(config, "normalize", False) or getattr(config, "chunk_length_s", None):
            raise ConfigError(
                "expected a codec whose codes say all, got one that keeps a loudness for each "
                "chunk beside them: choose EnCodec at 24 or 32 kHz"
            )
        if not 1 <= self.n_codebooks <= self.available_codebooks:
            raise ConfigError(
                f"expected 1 to {self.available_codebooks} codebooks for this "
                f"{config.model_type}, got {self.n_codebooks}: choose fewer"
            )

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        n_codebooks: int,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> TransformersCodec:
        """The codec in a folder or on the hub; options and errors of `hub.load_model`."""
        _require_codec(hub.load_config(name, revision=revision, local_files_only=local_files_only))
        model = hub.load_model(
            "AutoModel", name, revision=revision, local_files_only=local_files_only
        )
        return cls(model, n_codebooks)

    @property
    def available_codebooks(self) -> int:
        """Number of codebooks that the model has."""
        config = self.model.config
        return int(config.n_codebooks if config.model_type == "dac" else config.num_quantizers)

    @property
    def codebook_size(self) -> int:
        return int(self.model.config.codebook_size)

    @property
    def sample_rate(self) -> int:
        config = self.model.config
        return int(config.sample_rate if config.model_type == "xcodec" else config.sampling_rate)

    @property
    def frame_rate(self) -> float:
        """Token frames a second; the configs of transformers round some of these up."""
        config = self.model.config
        if config.model_type == "mimi":
            return float(config.frame_rate)
        return self.sample_rate / int(config.hop_length)

    @torch.no_grad()
    def encode(self, audios: Sequence[Audio]) -> list[Tokens]:
        """Tokens `[codebook, time]` of each audio; any rate and channel count is converted.

        Raises AudioError for a clip that is empty, not finite, silent or shorter than one frame.
        """
        return [self._encode(audio) for audio in audios]

    @torch.no_grad()
    def decode(self, tokens: Sequence[Tokens]) -> list[Audio]:
        """Audio of each `[codebook, time]`; DataError for codes that this codec does not have."""
        require_clips(
            tokens,
            n_codebooks=self.n_codebooks,
            codebook_size=self.codebook_size,
            max_frames=None,
        )
        return [self._decode(clip) for clip in tokens]

    def _encode(self, audio: Audio) -> Tokens:
        require_usable(audio, "the codec's input", min_duration_s=1 / self.frame_rate)
        samples = resample(audio, self.sample_rate).mono()[None, None]
        channels = getattr(self.model.config, "audio_channels", 1)
        values = torch.from_numpy(np.repeat(samples, channels, axis=1)).to(self._device)
        options = {}
        if self.model.config.model_type == "encodec":
            # Its own default is the smallest number of codebooks, the others' is all of them.
            options["bandwidth"] = self.model.config.target_bandwidths[-1]
        codes = self.model.encode(values, **options).audio_codes
        if self.model.config.model_type == "encodec":
            codes = codes[0]
        return np.asarray(codes[0, : self.n_codebooks].cpu().numpy(), dtype=np.int64)

    def _decode(self, clip: Tokens) -> Audio:
        codes = torch.from_numpy(clip)[None].to(self._device)
        if self.model.config.model_type == "encodec":
            out = self.model.decode(codes[None], [None])
        else:
            out = self.model.decode(audio_codes=codes)
        samples = out.audio_values.reshape(-1, out.audio_values.shape[-1])
        return Audio(samples.clamp(-1, 1).cpu().float().numpy(), self.sample_rate)

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device


def _require_codec(config: Any) -> None:
    """Raise ConfigError for the config of something else, before anything large is loaded."""
    if config.model_type not in KINDS:
        raise ConfigError(
            f"expected a codec out of {', '.join(KINDS)}, got a model of type "
            f"'{config.model_type}': choose one of these"
        )
