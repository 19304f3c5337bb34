"""The built-in `TokenPolicy`: prompts in words, exact log-probabilities, sampling."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from auralign.errors import DataError, did_you_mean
from auralign.files import reading, write_bytes
from auralign.policies.layouts import ClipLimits, append_end, pad_clips, require_clips
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.transformer import CodecTransformer, TransformerConfig, new_transformer
from auralign.types import Prompt, Tokens

PAD, SEPARATOR = 0, 1


@dataclass(frozen=True, slots=True)
class PromptVocabulary:
    """Words and conditions as indices; a prompt is `condition, words..., padding, separator`."""

    words: tuple[str, ...]
    conditions: tuple[str, ...]
    max_words: int

    @classmethod
    def of(cls, prompts: Sequence[Prompt]) -> PromptVocabulary:
        texts = [p.text.split() for p in prompts]
        return cls(
            words=tuple(sorted({word for words in texts for word in words})),
            conditions=tuple(sorted({p.condition or "" for p in prompts})),
            max_words=max(len(words) for words in texts),
        )

    @property
    def size(self) -> int:
        return 2 + len(self.conditions) + len(self.words)

    @property
    def length(self) -> int:
        return self.max_words + 2

    def encode(self, prompts: Sequence[Prompt]) -> Tensor:
        """int64 `[batch, length]`; DataError names a word or condition that is not known."""
        return torch.tensor([self._encode(prompt) for prompt in prompts])

    def _encode(self, prompt: Prompt) -> list[int]:
        words = prompt.text.split()
        if len(words) > self.max_words:
            raise DataError(
                f"prompt '{prompt.id}' has {len(words)} words and this policy was trained on at "
                f"most {self.max_words}: shorten the prompt"
            )
        first_word = 2 + len(self.conditions)
        condition = 2 + _index(self.conditions, prompt.condition or "", prompt.id, "condition")
        body = [first_word + _index(self.words, word, prompt.id, "word") for word in words]
        return [condition, *body, *[PAD] * (self.max_words - len(words)), SEPARATOR]


def _index(known: tuple[str, ...], word: str, prompt_id: str, kind: str) -> int:
    try:
        return known.index(word)
    except ValueError:
        raise DataError(
            f"prompt '{prompt_id}' has the {kind} '{word}', which this policy was not trained on"
            f"{did_you_mean(word, known)}: use one of {', '.join(known)}"
        ) from None


@dataclass(frozen=True, eq=False)
class CodecLanguageModel(ModelPolicy):
    """A `TokenPolicy` over the built-in transformer."""

    model: CodecTransformer
    vocabulary: PromptVocabulary

    CLIPS_AT_ONCE = 128

    def __post_init__(self) -> None:
        """The built-in transformer has no dropout to switch off."""

    @classmethod
    def new(
        cls,
        prompts: Sequence[Prompt],
        tokens: Sequence[Tokens],
        *,
        codebook_size: int,
        width: int,
        depth: int,
        n_heads: int,
        generator: torch.Generator,
    ) -> CodecLanguageModel:
        """An untrained model whose sizes fit the data it is about to be trained on."""
        vocabulary = PromptVocabulary.of(prompts)
        config = TransformerConfig(
            n_prompt_tokens=vocabulary.size,
            prompt_length=vocabulary.length,
            n_codebooks=tokens[0].shape[0],
            codebook_size=codebook_size,
            # Room for a clip somewhat longer than any in the data; what reaches it did not end.
            max_frames=math.ceil(1.25 * max(t.shape[1] for t in tokens)),
            width=width,
            depth=depth,
            n_heads=n_heads,
        )
        return cls(new_transformer(config, generator), vocabulary)

    def logits(
        self,
        prompts: Sequence[Prompt],
        tokens: Sequence[Tokens],
        *,
        corrupt: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As in `ModelPolicy`, over `time + 1` frames: every code is scored, and one end code.

        The end stands in codebook 0 behind the last frame; a clip of `max_frames` frames was cut
        off when it was sampled, so that its end is not scored. `corrupt` maps the codes
        `[batch, codebook, time + 1]` to what later frames see of them (for training only). Raises
        DataError for prompts and codes that this policy does not know.
        """
        codes, scored = self.batch(tokens)
        history = corrupt(codes) if corrupt else None
        asked = self.vocabulary.encode(prompts).to(self.device)
        return self.model(asked, codes, history), codes, scored

    def states(self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Tensor:
        """Hidden states `[batch, time + 1, width]` from which each frame is predicted."""
        return self.model.states(
            self.vocabulary.encode(prompts).to(self.device), self.batch(tokens)[0]
        )

    @property
    def width(self) -> int:
        """Of the hidden states."""
        return self.model.config.width

    @property
    def limits(self) -> ClipLimits:
        config = self.model.config
        return ClipLimits(config.n_codebooks, config.codebook_size, config.max_frames)

    def batch(self, tokens: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Padded codes with the end code, and which places are scored.

        Raises DataError for codes that this policy cannot have made.
        """
        _, size, max_frames = self.limits
        require_clips(tokens, **self.limits._asdict())
        codes, scored = append_end(*pad_clips(tokens), end=size, max_frames=max_frames)
        return codes.to(self.device), scored.to(self.device)

    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        nothing = np.zeros((len(prompts), self.limits.n_codebooks, 0), dtype=np.int64)
        return self.continue_from(prompts, nothing, temperature, generator)

    @torch.no_grad()
    def continue_from(
        self,
        prompts: Sequence[Prompt],
        prefixes: NDArray[np.int64],
        temperature: float,
        generator: torch.Generator,
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        """One clip for each prompt, which begins with its prefix, and whether it ended itself.

        prefixes   [clips, codebook, time], all of one length, which may be 0

        One batch with a KV cache; a clip that has ended leaves the batch. Raises DataError for
        prefixes that this policy cannot have made.
        """
        model, config, begun = self.model, self.model.config, prefixes.shape[2]
        if begun:
            require_clips(list(prefixes), **self.limits._asdict())
        cache = model.new_cache(len(prompts))
        asked = self.vocabulary.encode(prompts).to(self.device)
        hidden = model.step(model.embed(asked, torch.from_numpy(prefixes).to(self.device)), cache)
        frames = np.zeros((len(prompts), config.n_codebooks, config.max_frames), dtype=np.int64)
        frames[:, :, :begun] = prefixes
        lengths = np.full(len(prompts), config.max_frames)
        alive = torch.arange(len(prompts))
        for t in range(begun, config.max_frames + 1):
            frame = model.next_frame(
                hidden, may_end=t > 0, temperature=temperature, generator=generator
            )
            going = frame[:, 0] != config.codebook_size
            stays = going.cpu()
            lengths[alive[~stays].numpy()] = t
            alive, frame = alive[stays], frame[going]
            if len(alive) == 0 or t == config.max_frames:
                break
            frames[alive.numpy(), :, t] = frame.cpu().numpy()
            if not stays.all():
                for layer in cache:
                    layer.keep(going)
            hidden = model.step(model.embed_frames(frame[:, :, None]), cache)
        clips = [row[:, :n].copy() for row, n in zip(frames, lengths, strict=True)]
        return clips, lengths < config.max_frames

    def trainable_copy(self) -> CodecLanguageModel:
        """The same weights in a model of its own, ready to be trained."""
        return CodecLanguageModel(copy.deepcopy(self.model).requires_grad_(True), self.vocabulary)

    def save(self, path: Path) -> None:
        """One safetensors file; sizes and vocabulary stand in its metadata."""
        about = {"config": asdict(self.model.config), "vocabulary": asdict(self.vocabulary)}
        weights = self.model.state_dict()
        write_bytes(path, save(weights, metadata={"auralign": json.dumps(about)}))

    @classmethod
    def load(cls, path: Path) -> CodecLanguageModel:
        """Raises DataError for anything that `save` did not write."""
        from safetensors import safe_open

        with reading(path, "a policy written by CodecLanguageModel.save"):
            with safe_open(path, framework="pt") as file:
                about = json.loads(file.metadata()["auralign"])
            vocabulary = about["vocabulary"]
            with torch.device("meta"):
                model = CodecTransformer(TransformerConfig(**about["config"]))
            model.load_state_dict(load_file(path), assign=True)
            words, conditions = tuple(vocabulary["words"]), tuple(vocabulary["conditions"])
            return cls(model, PromptVocabulary(words, conditions, vocabulary["max_words"]))
