"""The built-in language model behind a voice prompt, as in zero-shot speech synthesis."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auralign.policies.language_model import CodecLanguageModel, PromptVocabulary
from auralign.policies.layouts import ClipLimits, append_end, pad_clips, require_clips
from auralign.policies.transformer import TransformerConfig, new_transformer
from auralign.types import Prompt, Tokens


@dataclass(frozen=True, eq=False)
class VoicePromptedModel(CodecLanguageModel):
    """Continues the codes of a voice prompt, which no text goes with (VALL-E, arXiv 2301.02111).

    voices   codes `[codebook, time]` by the name in `Prompt.reference_clip`, of one length

    The speaker's name in a prompt's condition is for listeners; the model does not read it.
    """

    voices: Mapping[str, Tokens]

    CLIPS_AT_ONCE = 256

    @classmethod
    def untrained(
        cls,
        prompts: Sequence[Prompt],
        tokens: Sequence[Tokens],
        voices: Mapping[str, Tokens],
        *,
        codebook_size: int,
        width: int,
        depth: int,
        generator: torch.Generator,
    ) -> VoicePromptedModel:
        """Sizes that fit the data it is about to be trained on."""
        vocabulary = PromptVocabulary.of([_without_speaker(prompt) for prompt in prompts])
        longest = math.ceil(1.25 * max(clip.shape[1] for clip in tokens))
        config = TransformerConfig(
            n_prompt_tokens=vocabulary.size,
            prompt_length=vocabulary.length,
            n_codebooks=tokens[0].shape[0],
            codebook_size=codebook_size,
            max_frames=_length(voices) + longest,
            width=width,
            depth=depth,
        )
        return cls(new_transformer(config, generator), vocabulary, voices)

    @property
    def limits(self) -> ClipLimits:
        config = self.model.config
        longest = config.max_frames - _length(self.voices)
        return ClipLimits(config.n_codebooks, config.codebook_size, longest)

    def logits(
        self,
        prompts: Sequence[Prompt],
        tokens: Sequence[Tokens],
        *,
        corrupt: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As in `CodecLanguageModel`; the voice prompt is read and not scored."""
        books, size, longest = self.limits
        require_clips(tokens, n_codebooks=books, codebook_size=size, max_frames=longest)
        codes, scored = append_end(*pad_clips(tokens), end=size, max_frames=longest)
        voices = self._voices(prompts)
        whole = torch.cat([voices, codes], dim=2)
        history = corrupt(whole) if corrupt else None
        logits = self.model(self._texts(prompts), whole, history)[:, :, voices.shape[2] :]
        return _without_end_at_start(logits), codes, scored

    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        """One batch with a KV cache; a clip that has ended leaves the batch."""
        model, (books, size, longest) = self.model, self.limits
        assert longest is not None
        cache = model.new_cache(len(prompts))
        voices = model.embed_frames(self._voices(prompts))
        texts = model.embed_prompts(self._texts(prompts))
        hidden = model.step(torch.cat([texts, voices], dim=1), cache)
        frames = np.zeros((len(prompts), books, longest), dtype=np.int64)
        lengths = np.full(len(prompts), longest)
        alive = torch.arange(len(prompts))
        for t in range(longest + 1):
            frame = model.next_frame(
                hidden, may_end=t > 0, temperature=temperature, generator=generator
            )
            going = frame[:, 0] != size
            lengths[alive[~going].numpy()] = t
            alive, frame = alive[going], frame[going]
            if len(alive) == 0 or t == longest:
                break
            frames[alive.numpy(), :, t] = frame.numpy()
            if not going.all():
                for layer in cache:
                    layer.keep(going)
            hidden = model.step(model.embed_frames(frame[:, :, None]), cache)
        clips = [row[:, :n].copy() for row, n in zip(frames, lengths, strict=True)]
        return clips, lengths < longest

    def trainable_copy(self) -> VoicePromptedModel:
        model = copy.deepcopy(self.model).requires_grad_(True)
        return dataclasses.replace(self, model=model)

    def _texts(self, prompts: Sequence[Prompt]) -> Tensor:
        return self.vocabulary.encode([_without_speaker(prompt) for prompt in prompts])

    def _voices(self, prompts: Sequence[Prompt]) -> Tensor:
        """int64 `[batch, codebook, time]`"""
        return torch.from_numpy(np.stack([self.voices[p.reference_clip or ""] for p in prompts]))


def _length(voices: Mapping[str, Tokens]) -> int:
    return int(next(iter(voices.values())).shape[1])


def _without_speaker(prompt: Prompt) -> Prompt:
    return dataclasses.replace(prompt, condition=None)


def _without_end_at_start(logits: Tensor) -> Tensor:
    """A clip has at least one frame; in the whole sequence the voice prompt comes before it."""
    logits = logits.clone()
    logits[:, 0, 0, -1] = -math.inf
    return logits
