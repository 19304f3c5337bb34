"""Causal language models of transformers whose vocabulary holds codec tokens.

Orpheus, Llasa, Spark and NeuTTS are made this way: a text model got some thousand more words, one
for each code of each codebook, and speaks by writing them. Which ids stand for which codes is a
`TokenMap`; how a prompt is written is a function from `Prompt` to ids. Codebooks are flat, frame
by frame. A codec with several codes of one codebook in a frame (SNAC has seven in Orpheus) counts
here as one with as many codebooks as there are codes in a frame. What a model writes before the
first frame, such as the speaker's tokens of Spark, belongs to the prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auralign.errors import ConfigError, DataError
from auralign.policies import hub
from auralign.policies.autoregression import (
    PromptBlock,
    response_logits,
    response_states,
    sample_responses,
)
from auralign.policies.layouts import (
    ClipLimits,
    append_end,
    from_flat,
    pad_clips,
    require_clips,
    to_flat,
)
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.packing import packed_states
from auralign.policies.projection import projected_logps
from auralign.types import Prompt, Tokens

EncodePrompt = Callable[[Prompt], Sequence[int]]
"""The ids that stand before the first code; a tokenizer's (`tokenizer_prompts`) or your own."""


@dataclass(frozen=True, eq=False)
class TokenMap:
    """Which id of the vocabulary stands for which code.

    ids      int64 [codebook, codebook_size]; two codebooks may share ids, as the place tells them
    end_id   what is written instead of a next frame
    """

    ids: NDArray[np.int64]
    end_id: int

    def __post_init__(self) -> None:
        for book, ids in enumerate(self.ids):
            if len(np.unique(ids)) != len(ids) or self.end_id in ids or ids.min() < 0:
                raise ConfigError(
                    f"expected an id of its own for each code of codebook {book} and for the end "
                    f"({self.end_id}), got ids {ids.min()} to {ids.max()}, {len(np.unique(ids))} "
                    f"different ones for {len(ids)} codes: correct the token map"
                )

    @classmethod
    def from_offsets(cls, first_ids: Sequence[int], codebook_size: int, *, end_id: int) -> TokenMap:
        """Code c of codebook k is id `first_ids[k] + c`."""
        return cls(np.array(first_ids)[:, None] + np.arange(codebook_size), end_id)

    @classmethod
    def from_tokenizer(
        cls, tokenizer: Any, patterns: Sequence[str], codebook_size: int, *, end_token: str
    ) -> TokenMap:
        """Code c of codebook k is the token `patterns[k].format(c)`, such as `<|s_{}|>`.

        Raises ConfigError for a token that the tokenizer does not have.
        """
        known = tokenizer.get_vocab()
        rows = [[pattern.format(c) for c in range(codebook_size)] for pattern in patterns]
        missing = [word for row in [*rows, [end_token]] for word in row if word not in known]
        if missing:
            raise ConfigError(
                f"expected a token for each code in the vocabulary, got none for {len(missing)} of "
                f"them, such as '{missing[0]}': correct the pattern or the codebook size"
            )
        return cls(np.array([[known[word] for word in row] for row in rows]), known[end_token])

    @property
    def n_codebooks(self) -> int:
        return int(self.ids.shape[0])

    @property
    def codebook_size(self) -> int:
        return int(self.ids.shape[1])

    def codes(self, ids: NDArray[np.int64]) -> Tokens:
        """Ids of whole frames, `[time * codebook]` -> codes `[codebook, time]`.

        Raises DataError for an id that stands for no code at its place.
        """
        frames = from_flat(torch.from_numpy(ids)[None], self.n_codebooks)[0].numpy()
        codes = np.empty_like(frames)
        for book, row in enumerate(frames):
            order = np.argsort(self.ids[book])
            places = np.searchsorted(self.ids[book], row, sorter=order)
            codes[book] = order[places.clip(max=len(order) - 1)]
            foreign = self.ids[book, codes[book]] != row
            if foreign.any():
                raise DataError(
                    f"expected codes of codebook {book} at every {self.n_codebooks}th place, got "
                    f"id {row[foreign][0]} in frame {foreign.argmax()}: cut the response before it"
                )
        return codes


def tokenizer_prompts(
    tokenizer: Any,
    pattern: str = "{text}",
    *,
    before: Sequence[int] = (),
    after: Sequence[int] = (),
) -> EncodePrompt:
    """Prompts written by a tokenizer: `before`, the ids of the filled pattern, `after`.

    The pattern may name `text` and `condition`. The tokenizer adds no ids of its own: those that a
    model wants (begin of text, begin of speech) stand in `before` and `after`.
    """

    def encode(prompt: Prompt) -> list[int]:
        words = pattern.format(text=prompt.text, condition=prompt.condition or "")
        return [*before, *tokenizer(words, add_special_tokens=False)["input_ids"], *after]

    return encode


@dataclass(frozen=True, eq=False)
class CausalCodecPolicy(ModelPolicy):
    """A `TokenPolicy` over a causal language model that writes codec tokens.

    `softmax_over` says what a log-probability is. Over the `vocabulary`, it is the model's own, as
    in its pretraining and as engines sample that do not restrict it. Over the `codes`, it is that
    of the codes that may come at a place (and of the end at the begin of a frame, except the
    first), so that clips have the exact probability that `sample` draws them with; `sample` always
    keeps to these. For a trained model the two differ by the little that it wastes on other words.
    """

    tokens: TokenMap
    encode_prompt: EncodePrompt
    max_frames: int
    softmax_over: Literal["vocabulary", "codes"] = "vocabulary"

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.model.get_output_embeddings().weight.shape[0]
        highest = max(int(self.tokens.ids.max()), self.tokens.end_id)
        if highest >= size:
            raise ConfigError(
                f"expected a token map within the model's vocabulary of {size}, got id {highest}: "
                "choose the model that was trained on these codes"
            )

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        tokens: TokenMap,
        encode_prompt: EncodePrompt,
        *,
        max_frames: int,
        softmax_over: Literal["vocabulary", "codes"] = "vocabulary",
        dtype: torch.dtype = torch.float32,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> CausalCodecPolicy:
        """The model in a folder or on the hub; options and errors of `hub.load_model`."""
        model = hub.load_model(
            "AutoModelForCausalLM",
            name,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
        )
        return cls(model, tokens, encode_prompt, max_frames, softmax_over)

    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As in `ModelPolicy`; `size` is the vocabulary's, or one more than the codebook's."""
        codes, scored = self._codes(tokens)
        ids = self._ids(codes)
        response = to_flat(ids)
        flat = response_logits(
            self.model, self._prompts(prompts), response, logits_to_keep=response.shape[1]
        )
        logits = from_flat(flat, self.tokens.n_codebooks)
        if self.softmax_over == "vocabulary":
            return logits, ids, scored
        return _possible(logits, self._table()), codes, scored

    @property
    def layout(self) -> str:
        ids = hashlib.sha256(self.tokens.ids.tobytes()).hexdigest()
        return f"{super().layout}, ids={ids}, end={self.tokens.end_id}"

    def reading(self, prompt: Prompt) -> str:
        return str(list(self.encode_prompt(prompt)))

    @property
    def limits(self) -> ClipLimits:
        return ClipLimits(self.tokens.n_codebooks, self.tokens.codebook_size, self.max_frames)

    def _codes(self, tokens: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Padded codes with the end code, and which places are scored."""
        require_clips(tokens, **self.limits._asdict())
        end = self.tokens.codebook_size
        codes, scored = append_end(*pad_clips(tokens), end=end, max_frames=self.max_frames)
        return codes.to(self.device), scored.to(self.device)

    def _ids(self, codes: Tensor) -> Tensor:
        """Ids of codes `[batch, codebook, time]`."""
        books = torch.arange(self.tokens.n_codebooks, device=self.device)
        return self._table()[books[:, None], codes]

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], **options: Any
    ) -> tuple[Tensor, Tensor]:
        """As in `ModelPolicy`; the output layer is computed at scored places only, if it may be."""
        if self.softmax_over == "codes" or not self._head_is_plain:
            return super().token_logps(prompts, tokens, **options)
        codes, scored = self._codes(tokens)
        ids, places = to_flat(self._ids(codes)), to_flat(scored)
        weight = self.model.get_output_embeddings().weight
        logps = projected_logps(self._states(prompts, ids, places), weight, ids[places])
        table = logps.new_zeros(places.shape).masked_scatter(places, logps)
        return from_flat(table, self.tokens.n_codebooks), scored

    def states(self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Tensor:
        """Hidden states `[batch, time + 1, width]` that predict the first code of each frame."""
        response = to_flat(self._ids(self._codes(tokens)[0]))
        found = response_states(self.model.get_decoder(), self._prompts(prompts), response)
        return from_flat(found, self.tokens.n_codebooks)[:, 0]

    @property
    def width(self) -> int:
        """Of the hidden states."""
        return int(self.model.get_output_embeddings().weight.shape[1])

    def _states(self, prompts: Sequence[Prompt], ids: Tensor, places: Tensor) -> Tensor:
        """Hidden states that predict the ids at these places, both `[clips, ids]`, row by row."""
        decoder, block = self.model.get_decoder(), self._prompts(prompts)
        if not self.packs:
            return response_states(decoder, block, ids)[places]
        rows = [
            row[mask].tolist() for row, mask in zip(block.ids, block.attended == 1, strict=True)
        ]
        responses = [row[mask] for row, mask in zip(ids, places, strict=True)]
        return torch.cat(packed_states(decoder, rows, responses))

    @cached_property
    def packs(self) -> bool:
        """Whether clips share a row without seeing each other, asked of the model itself, once.

        A model whose layers mix neighbours by anything but attention, or within a window, does not.
        """
        if self.softmax_over == "codes" or not self._head_is_plain:
            return False
        decoder, table = self.model.get_decoder(), self._table()[0]
        if set(getattr(decoder.config, "layer_types", None) or ()) - {"full_attention"}:
            return False
        prompts = [[int(table[0])], [int(table[0])], [int(table[1]), int(table[0])]]
        responses = [table[:2], table[:2].flip(0), table[:1]]
        try:
            with torch.no_grad():
                packed = packed_states(decoder, prompts, responses)
                alone = [
                    response_states(decoder, PromptBlock.of([p], self.device), r[None])[0]
                    for p, r in zip(prompts, responses, strict=True)
                ]
        except (TypeError, ValueError, RuntimeError):
            return False  # the model takes no other attention
        return all(torch.allclose(a, b, atol=1e-4) for a, b in zip(packed, alone, strict=True))

    @cached_property
    def _head_is_plain(self) -> bool:
        """Whether logits are hidden states times the output layer: some models scale or cap them.

        Asked of the model itself, once. With sharded weights only the whole model may be called.
        """
        head = self.model.get_output_embeddings()
        if type(head) is not nn.Linear or head.bias is not None or hasattr(self.model, "unshard"):
            return False
        prompt, response = PromptBlock.of([[0]], self.device), self._table()[:1, :2]
        with torch.no_grad():
            logits = response_logits(self.model, prompt, response)
            states = response_states(self.model.get_decoder(), prompt, response)
            return torch.equal(logits, head(states))

    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        nothing = np.zeros((len(prompts), self.tokens.n_codebooks, 0), dtype=np.int64)
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

        Raises DataError for prefixes that this policy cannot have made.
        """
        table, books, begun = self._table(), self.tokens.n_codebooks, prefixes.shape[2]
        if begun:
            require_clips(list(prefixes), **self.limits._asdict())
        heard = to_flat(self._ids(torch.from_numpy(prefixes).to(self.device)))

        def choices(position: int) -> Tensor:
            may_end = begun + position > 0 and position % books == 0
            return table[position % books] if may_end else table[position % books, :-1]

        ids, ended = sample_responses(
            self.model,
            self._prompts(prompts).followed_by(heard),
            choices,
            end_id=self.tokens.end_id,
            max_ids=(self.max_frames - begun) * books,
            temperature=temperature,
            generator=generator,
            logits_to_keep=1,
        )
        # An end at the very limit is not drawn: such a clip counts as cut off, in `logits` too.
        whole = [torch.cat([old, new]) for old, new in zip(heard.cpu(), ids, strict=True)]
        return [self.tokens.codes(row.numpy()) for row in whole], np.array(ended)

    def _prompts(self, prompts: Sequence[Prompt]) -> PromptBlock:
        rows = [self.encode_prompt(prompt) for prompt in prompts]
        for prompt, row in zip(prompts, rows, strict=True):
            if not len(row):
                raise DataError(
                    f"prompt '{prompt.id}': expected at least one id before the codes, got none: "
                    "let the prompt begin with the model's begin-of-text id"
                )
        return PromptBlock.of(rows, self.device)

    def _table(self) -> Tensor:
        """Ids of the codes of each codebook, and of the end: `[codebook, codebook_size + 1]`."""
        ends = np.full((self.tokens.n_codebooks, 1), self.tokens.end_id)
        return torch.from_numpy(np.hstack([self.tokens.ids, ends])).to(self.device)


def _possible(logits: Tensor, table: Tensor) -> Tensor:
    """Of logits `[batch, codebook, time, vocabulary]` those in `table` `[codebook, size]`.

    The end, last in the table, may come in codebook 0 after the first frame.
    """
    possible = torch.stack([logits[:, k][..., ids] for k, ids in enumerate(table)], dim=1)
    no_end = torch.ones(possible.shape[1:3], dtype=torch.bool, device=logits.device)
    no_end[0, 1:] = False
    end = possible[..., -1].masked_fill(no_end, -torch.inf)
    return torch.cat([possible[..., :-1], end[..., None]], dim=-1)
