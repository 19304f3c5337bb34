"""The built-in `TokenPolicy`: prompts in words, exact log-probabilities, sampling."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.files import reading, write_bytes
from auralign.policies.transformer import CodecTransformer, TransformerConfig, new_transformer
from auralign.types import Prompt, Rollout, Tokens

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
class CodecLanguageModel:
    """A `TokenPolicy` over the built-in transformer."""

    model: CodecTransformer
    vocabulary: PromptVocabulary

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

    def token_logps(
        self,
        prompts: Sequence[Prompt],
        tokens: Sequence[Tokens],
        *,
        corrupt: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """float32 log-probabilities and scored mask, `[batch, codebook, time + 1]`.

        Every code is scored, and exactly one end code in codebook 0; a clip of `max_frames` frames
        was cut off when it was sampled, so that its end is not scored. `corrupt` maps the codes
        `[batch, codebook, time + 1]` to what later frames see of them (for training only). Raises
        DataError for prompts and codes that this policy does not know.
        """
        codes, scored = self.batch(tokens)
        history = corrupt(codes) if corrupt else None
        logits = self.model(self.vocabulary.encode(prompts), codes, history).float()
        logps = torch.log_softmax(logits, dim=-1).gather(-1, codes[..., None])[..., 0]
        return torch.where(scored, logps, 0.0), scored

    def batch(self, tokens: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Padded codes with the end code, and which places are scored.

        Raises DataError for codes that this policy cannot have made.
        """
        config = self.model.config
        for i, clip in enumerate(tokens):
            _require_possible(clip, config, f"clip {i}")
        longest = max(t.shape[1] for t in tokens)
        codes = torch.zeros(len(tokens), config.n_codebooks, longest + 1, dtype=torch.int64)
        scored = torch.zeros_like(codes, dtype=torch.bool)
        for row, mask, clip in zip(codes, scored, tokens, strict=True):
            n = clip.shape[1]
            row[:, :n] = torch.from_numpy(clip)
            mask[:, :n] = True
            row[0, n] = config.codebook_size
            mask[0, n] = n < config.max_frames
        return codes, scored

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        generator: torch.Generator,
        temperature: float = 1.0,
        batch_size: int = 128,
    ) -> Rollout:
        """`n` clips for each prompt, prompt-major, with their exact log-probabilities in nats.

        The log-probabilities are the policy's own (temperature 1), whatever the clips were drawn
        with. Raises ConfigError unless `temperature` is positive.
        """
        if temperature <= 0:
            raise ConfigError(f"temperature must be above 0, got {temperature:g}")
        index = np.repeat(np.arange(len(prompts)), n)
        rows = self.vocabulary.encode(prompts)[torch.from_numpy(index)]
        parts = [self._sample(part, temperature, generator) for part in rows.split(batch_size)]
        tokens = [clip for clips, _ in parts for clip in clips]
        terminated = np.concatenate([ended for _, ended in parts])
        asked = [prompts[i] for i in index.tolist()]
        logp = self.sequence_logps(asked, tokens, batch_size=batch_size)
        return Rollout(prompt_index=index, tokens=tokens, terminated=terminated, logp=logp)

    def _sample(
        self, prompts: Tensor, temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], np.ndarray]:
        """One batch with a KV cache; a clip that has ended leaves the batch."""
        model, config = self.model, self.model.config
        cache = model.new_cache(len(prompts))
        hidden = model.step(model.embed_prompts(prompts), cache)
        frames = np.zeros((len(prompts), config.n_codebooks, config.max_frames), dtype=np.int64)
        lengths = np.full(len(prompts), config.max_frames)
        alive = torch.arange(len(prompts))
        for t in range(config.max_frames + 1):
            frame = model.next_frame(
                hidden, may_end=t > 0, temperature=temperature, generator=generator
            )
            going = frame[:, 0] != config.codebook_size
            lengths[alive[~going].numpy()] = t
            alive, frame = alive[going], frame[going]
            if len(alive) == 0 or t == config.max_frames:
                break
            frames[alive.numpy(), :, t] = frame.numpy()
            for layer in cache:
                layer.keep(going)
            hidden = model.step(model.embed_frames(frame[:, :, None]), cache)
        clips = [row[:, :n].copy() for row, n in zip(frames, lengths, strict=True)]
        return clips, lengths < config.max_frames

    @torch.no_grad()
    def sequence_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], *, batch_size: int = 64
    ) -> np.ndarray:
        """Sum over scored codes, float64 `[clips]`, in batches of similar length."""
        logps = np.zeros(len(tokens))
        for rows in length_batches(tokens, batch_size):
            values, _ = self.token_logps([prompts[i] for i in rows], [tokens[i] for i in rows])
            logps[rows] = values.double().sum((-2, -1)).numpy()
        return logps

    @torch.no_grad()
    def token_entropy(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], *, batch_size: int = 64
    ) -> float:
        """Mean entropy in nats of the distributions that the scored codes are drawn from."""
        total, count = 0.0, 0
        for rows in length_batches(tokens, batch_size):
            codes, scored = self.batch([tokens[i] for i in rows])
            logits = self.model(self.vocabulary.encode([prompts[i] for i in rows]), codes).float()
            # An end code that may not come has probability 0 and logit -inf: 0 log 0 is 0.
            entropy = torch.special.entr(torch.softmax(logits, dim=-1)).sum(-1)
            total += torch.where(scored, entropy, 0.0).double().sum().item()
            count += int(scored.sum())
        return total / count

    def frozen_copy(self) -> CodecLanguageModel:
        """A reference: same weights, evaluation mode, no gradients, outside the module tree."""
        model = copy.deepcopy(self.model).eval().requires_grad_(False)
        return CodecLanguageModel(model, self.vocabulary)

    def trainable_copy(self) -> CodecLanguageModel:
        """The same weights in a model of its own, ready to be trained."""
        return CodecLanguageModel(copy.deepcopy(self.model).requires_grad_(True), self.vocabulary)

    def weights_hash(self) -> str:
        """SHA-256 over all weights: tells whether a reference has stayed what it was."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(weight.numpy().tobytes())
        return digest.hexdigest()

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


def _require_possible(clip: Tokens, config: TransformerConfig, where: str) -> None:
    """Raise DataError for codes of another shape or range, or of more frames than are sampled."""
    books, size, longest = config.n_codebooks, config.codebook_size, config.max_frames
    if clip.ndim != 2 or clip.shape[0] != books or not 1 <= clip.shape[1] <= longest:
        raise DataError(
            f"{where}: expected codes [codebook, time] of {books} codebooks and 1 to {longest} "
            f"frames, got shape {clip.shape}: use the codec of this policy, or leave the clip out"
        )
    if clip.min() < 0 or clip.max() >= size:
        raise DataError(
            f"{where}: expected codes from 0 to {size - 1}, got {clip.min()} to {clip.max()}: "
            "use the codec of this policy"
        )


def length_batches(tokens: Sequence[Tokens], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, so that little padding is computed."""
    order = sorted(range(len(tokens)), key=lambda i: tokens[i].shape[1])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
