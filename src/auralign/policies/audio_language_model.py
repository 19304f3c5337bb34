"""Audio-language models of transformers that answer in text: Qwen2-Audio (arXiv 2407.10759).

The answer is a clip of one codebook whose codes are ids of the text vocabulary, so that the same
objectives align what a model says about sound. The sound is that of `Prompt.reference_clip`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auralign.audio.clips import clip_id, require_usable, resample
from auralign.errors import DataError
from auralign.policies import hub
from auralign.policies.autoregression import PromptBlock, response_logits, sample_responses
from auralign.policies.layouts import append_end, pad_clips
from auralign.policies.model_policy import ModelPolicy
from auralign.types import Audio, Prompt, Tokens

QUESTION = "<|audio_bos|><|AUDIO|><|audio_eos|>{text}"
"""How Qwen2-Audio-7B, not the chat model, is asked."""

MIN_DURATION_S = 0.1
"""Shorter sounds are less than two of the model's frames, which it cannot tell from a mark."""


@dataclass(frozen=True, eq=False)
class AudioLanguagePolicy(ModelPolicy):
    """A `TokenPolicy` over `Qwen2AudioForConditionalGeneration`: text given a sound and a text.

    processor   tokenizer and feature extractor of the model
    load_audio  the sound of a prompt
    max_ids     answers of so many ids were cut off
    end_id      ends an answer; an answer may be empty
    pattern     how a prompt is written: one mark of the sound, and `text`

    Every id may be answered except the mark of the sound, which the model reads as sound.
    """

    processor: Any
    load_audio: Callable[[Prompt], Audio]
    max_ids: int
    end_id: int
    pattern: str = QUESTION

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        load_audio: Callable[[Prompt], Audio],
        *,
        max_ids: int,
        pattern: str = QUESTION,
        dtype: torch.dtype = torch.float32,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> AudioLanguagePolicy:
        """The model in a folder or on the hub; options and errors of `hub.load_model`."""
        processor = hub.load_processor(name, revision=revision, local_files_only=local_files_only)
        model = hub.load_model(
            "Qwen2AudioForConditionalGeneration",
            name,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
        )
        return cls(model, processor, load_audio, max_ids, processor.tokenizer.eos_token_id, pattern)

    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As in `ModelPolicy`; one codebook, `size` is the vocabulary's."""
        for i, clip in enumerate(tokens):
            self._require_answer(clip, i)
        codes, scored = append_end(
            *pad_clips(tokens, fill=self.end_id), end=self.end_id, max_frames=self.max_ids
        )
        codes, scored = codes.to(self.device), scored.to(self.device)
        logits = response_logits(self.model, self._prompts(prompts), codes[:, 0])
        mark = torch.zeros(logits.shape[-1], dtype=torch.bool, device=self.device)
        mark[self._mark] = True
        return logits.masked_fill(mark, -torch.inf)[:, None], codes, scored

    def reading(self, prompt: Prompt) -> str:
        """The id of its sound, which stands behind a name that may come to mean another clip."""
        return clip_id(self.load_audio(prompt))

    def text(self, tokens: Sequence[Tokens]) -> list[str]:
        """The answers in words."""
        words: list[str] = self.processor.tokenizer.batch_decode(
            [clip[0] for clip in tokens], skip_special_tokens=True
        )
        return words

    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        ids = torch.arange(self._vocabulary_size, device=self.device)
        possible = ids[ids != self._mark]
        answers, ended = sample_responses(
            self.model,
            self._prompts(prompts),
            lambda _: possible,
            end_id=self.end_id,
            max_ids=self.max_ids,
            temperature=temperature,
            generator=generator,
        )
        return [answer.numpy()[None] for answer in answers], np.array(ended)

    @property
    def _mark(self) -> int:
        return int(self.model.config.audio_token_id)

    @property
    def _vocabulary_size(self) -> int:
        return int(self.model.config.text_config.vocab_size)

    def _prompts(self, prompts: Sequence[Prompt]) -> PromptBlock:
        """Written prompts, and the mel frames of their sounds; equal prompts are heard once."""
        rate = self.processor.feature_extractor.sampling_rate
        places = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompts))}
        block = self.processor(
            text=[self.pattern.format(text=prompt.text) for prompt in places],
            audio=[self._samples(prompt, rate) for prompt in places],
            sampling_rate=rate,
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        rows = [places[prompt] for prompt in prompts]
        parts = {key: part[rows].to(self.device) for key, part in block.items()}
        return PromptBlock(parts.pop("input_ids"), parts.pop("attention_mask"), parts)

    def _samples(self, prompt: Prompt, sample_rate: int) -> NDArray[np.float32]:
        audio = self.load_audio(prompt)
        where = f"the sound of prompt '{prompt.id}'"
        require_usable(audio, where, min_duration_s=MIN_DURATION_S)
        samples = resample(audio, sample_rate).mono()
        longest = self.processor.feature_extractor.n_samples
        if len(samples) > longest:
            raise DataError(
                f"{where}: expected at most {longest / sample_rate:g} s, got "
                f"{len(samples) / sample_rate:g} s, of which the model would not hear the rest: "
                "cut the clip"
            )
        return samples

    def _require_answer(self, clip: Tokens, i: int) -> None:
        if clip.ndim != 2 or clip.shape[0] != 1 or clip.shape[1] > self.max_ids:
            raise DataError(
                f"answer {i}: expected ids [1, time] of at most {self.max_ids}, got shape "
                f"{clip.shape}: leave the answer out"
            )
        foreign = (clip < 0) | (clip >= self._vocabulary_size)
        foreign |= (clip == self.end_id) | (clip == self._mark)
        if foreign.any():
            raise DataError(
                f"answer {i}: expected ids of words from 0 to {self._vocabulary_size - 1}, without "
                f"the end ({self.end_id}) and the mark of the sound ({self._mark}), got "
                f"{clip[foreign][0]}: use the tokenizer of this policy"
            )
