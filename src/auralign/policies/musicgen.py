"""MusicGen of transformers: codes of all codebooks, each one step later than the one before.

The model (arXiv 2306.05284) has no end token: a clip is as long as it is asked to be, and none of
its places is spent on an end. Codes enter and leave here as `[batch, codebook, time]`; the model's
own `labels` are `[batch, time, codebook]`, and codes in that place of another order would train on
something else without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auralign.policies import hub
from auralign.policies.autoregression import pick, uniform_draws
from auralign.policies.layouts import ClipLimits, from_delay, pad_clips, require_clips, to_delay
from auralign.policies.model_policy import ModelPolicy
from auralign.types import Prompt, Tokens


@dataclass(frozen=True, eq=False)
class MusicgenPolicy(ModelPolicy):
    """A `TokenPolicy` over `MusicgenForConditionalGeneration`.

    Clips are sampled with `n_frames` frames each and count as ended, since their length was given.
    There is no classifier-free guidance: its mixture is another distribution than the one whose
    log-probabilities these are. Text encoder and codec are frozen; what is trained are the decoder
    and the projection of the text.
    """

    tokenizer: Any
    n_frames: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model.text_encoder.requires_grad_(False)
        self.model.audio_encoder.requires_grad_(False)

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        n_frames: int,
        dtype: torch.dtype = torch.float32,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> MusicgenPolicy:
        """The model in a folder or on the hub; options and errors of `hub.load_model`."""
        tokenizer = hub.load_tokenizer(name, revision=revision, local_files_only=local_files_only)
        model = hub.load_model(
            "MusicgenForConditionalGeneration",
            name,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
        )
        return cls(model, tokenizer, n_frames)

    @property
    def n_codebooks(self) -> int:
        return int(self.model.config.decoder.num_codebooks)

    @property
    def delays(self) -> tuple[int, ...]:
        """Positions that each codebook comes late; the two channels of stereo come together."""
        channels = self.model.config.decoder.audio_channels
        return tuple(book // channels for book in range(self.n_codebooks))

    @property
    def limits(self) -> ClipLimits:
        return ClipLimits(self.n_codebooks, self.model.config.decoder.vocab_size, None)

    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As in `ModelPolicy`, with a time axis as long as the longest clip."""
        config, books = self.model.config.decoder, self.n_codebooks
        require_clips(tokens, **self.limits._asdict())
        codes, scored = pad_clips(tokens, fill=config.pad_token_id)
        codes, scored = codes.to(self.device), scored.to(self.device)
        delayed = to_delay(codes, self.delays, fill=config.pad_token_id)
        inputs = torch.nn.functional.pad(delayed[..., :-1], (1, 0), value=config.pad_token_id)
        out = self.model(
            **self._text(prompts), decoder_input_ids=inputs.flatten(0, 1), use_cache=False
        )
        logits = from_delay(out.logits.unflatten(0, (-1, books)), self.delays)
        return logits, torch.where(scored, codes, 0), scored

    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        pad, books, batch = self.model.config.decoder.pad_token_id, self.n_codebooks, len(prompts)
        from auralign.policies.kv_cache import give_room

        text = self._text(prompts)
        encoded = self.model.text_encoder(**text)
        shape = batch, books, self.n_frames + max(self.delays)
        sequence = torch.full(shape, pad, device=self.device)
        asked = to_delay(
            torch.ones(batch, books, self.n_frames, dtype=torch.bool), self.delays, fill=False
        ).to(self.device)
        uniform = uniform_draws((batch * books, shape[2]), generator, self.device)
        column = sequence.new_full((batch, books), pad)
        cache: Any = None
        for position in range(shape[2]):
            out = self.model(
                encoder_outputs=encoded,
                attention_mask=text["attention_mask"],
                decoder_input_ids=column.reshape(-1, 1),
                past_key_values=cache,
                use_cache=True,
            )
            if cache is None:
                cache = out.past_key_values
                give_room(cache.self_attention_cache)
            drawn = pick(out.logits[:, -1], temperature, uniform[:, position]).view(batch, books)
            column = torch.where(asked[..., position], drawn, pad)
            sequence[..., position] = column
        clips = from_delay(sequence, self.delays).cpu().numpy()
        return list(clips), np.ones(batch, dtype=np.bool_)

    def _text(self, prompts: Sequence[Prompt]) -> dict[str, Tensor]:
        """Ids and mask of the prompts' texts, `[batch, words]`."""
        texts = self.tokenizer([p.text for p in prompts], padding=True, return_tensors="pt")
        return {key: texts[key].to(self.device) for key in ("input_ids", "attention_mask")}
