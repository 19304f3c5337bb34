"""The built-in generator: a small decoder-only transformer over a prompt and codec tokens.

One position of the sequence is one codec frame. Within a frame the codebooks are predicted one
after the other by a small depth head that sees the frame's earlier codes, so that the
log-probability of a clip is exact:

    log p(clip) = sum over t, k of log p(code[k, t] | prompt, frames before t, codes before k)

A clip ends with an end-of-clip code in codebook 0 (index `codebook_size`), which is scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auralign.errors import ConfigError
from auralign.policies.model_policy import draw


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Sizes of the model; `max_frames` bounds what is sampled.

    Raises ConfigError unless every head gets an even part of `width`: rotary positions turn pairs.
    """

    n_prompt_tokens: int
    prompt_length: int
    n_codebooks: int
    codebook_size: int
    max_frames: int
    width: int = 192
    depth: int = 4
    n_heads: int = 4

    def __post_init__(self) -> None:
        if self.width % (2 * self.n_heads):
            raise ConfigError(
                f"expected a width that is a multiple of {2 * self.n_heads} for {self.n_heads} "
                f"heads, got {self.width}"
            )


class CodecTransformer(nn.Module):
    """Decoder-only transformer with rotary positions (arXiv 2104.09864) and pre-norm blocks."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, books, size = config.width, config.n_codebooks, config.codebook_size + 1
        self.prompt_embedding = nn.Embedding(config.n_prompt_tokens, width)
        self.slot_embedding = nn.Parameter(torch.empty(config.prompt_length, width))
        self.code_embedding = nn.Parameter(torch.empty(books, size, width))
        self.blocks = nn.ModuleList(Block(width, config.n_heads) for _ in range(config.depth))
        self.norm = nn.RMSNorm(width)
        self.depth_embedding = nn.Parameter(torch.empty(books, size, width))
        self.depth_in = nn.Parameter(torch.empty(books, width, width))
        self.depth_out = nn.Parameter(torch.empty(books, width, size))

    def forward(self, prompts: Tensor, codes: Tensor, history: Tensor | None = None) -> Tensor:
        """Logits `[batch, codebook, time + 1, codebook_size + 1]` under teacher forcing.

        prompts   int64 [batch, prompt_length]
        codes     int64 [batch, codebook, time + 1]; the frame after a clip's last holds the end
                  code in codebook 0, what stands in places that are not scored does not matter
        history   like codes: the frames that later frames see instead of `codes`, when training
                  with a corrupted past
        """
        return self.code_logits(self.states(prompts, codes if history is None else history), codes)

    def states(self, prompts: Tensor, codes: Tensor) -> Tensor:
        """Hidden `[batch, time + 1, width]` from which each frame is predicted."""
        hidden = self._run(self.embed(prompts, codes[:, :, :-1]), None)
        return hidden[:, self.config.prompt_length - 1 :]

    def embed(self, prompts: Tensor, codes: Tensor) -> Tensor:
        """A prompt and the frames behind it, `[batch, prompt_length + time, width]`."""
        return torch.cat([self.embed_prompts(prompts), self.embed_frames(codes)], dim=1)

    def embed_prompts(self, prompts: Tensor) -> Tensor:
        """`[batch, prompt_length]` -> `[batch, prompt_length, width]`; a slot knows its place."""
        embedded: Tensor = self.prompt_embedding(prompts)
        return embedded + self.slot_embedding

    def embed_frames(self, codes: Tensor) -> Tensor:
        """`[batch, codebook, time]` -> `[batch, time, width]`: the sum over codebooks."""
        books = torch.arange(self.config.n_codebooks, device=codes.device)[:, None]
        embedded: Tensor = self.code_embedding[books, codes]
        return embedded.sum(1)

    def code_logits(self, hidden: Tensor, codes: Tensor) -> Tensor:
        """Logits `[batch, codebook, time, size]` of hidden `[batch, time, width]` and the codes."""
        books = torch.arange(self.config.n_codebooks, device=codes.device)[:, None]
        given = self.depth_embedding[books, codes].cumsum(1)
        before = F.pad(given[:, :-1], (0, 0, 0, 0, 1, 0))
        logits = self._depth_head(hidden[:, None] + before, 0)
        may_end = torch.zeros(logits.shape[1:3], dtype=torch.bool, device=logits.device)
        may_end[0, 1:] = True  # codebook 0, and no clip is without a frame
        return _forbid_end(logits, ~may_end)

    def _depth_head(self, states: Tensor, first: int) -> Tensor:
        """`[batch, codebook, time, width]` -> logits, for the codebooks from `first` on."""
        last = first + states.shape[1]
        inner = F.gelu(torch.einsum("bktw,kwv->bktv", _rms(states), self.depth_in[first:last]))
        return torch.einsum("bktw,kws->bkts", _rms(states + inner), self.depth_out[first:last])

    def next_frame(
        self, hidden: Tensor, *, may_end: bool, temperature: float, generator: torch.Generator
    ) -> Tensor:
        """Samples one frame `[batch, codebook]` from hidden `[batch, width]`."""
        state = hidden[:, None, None]
        picked: list[Tensor] = []
        for book in range(self.config.n_codebooks):
            logits = self._depth_head(state, book)[:, 0, 0]
            if book > 0 or not may_end:
                logits = _forbid_end(logits, torch.ones_like(logits[:, 0], dtype=torch.bool))
            picked.append(draw(logits, temperature, generator))
            state = state + self.depth_embedding[book, picked[-1]][:, None, None]
        return torch.stack(picked, dim=1)

    def step(self, inputs: Tensor, cache: list[Cache]) -> Tensor:
        """Hidden `[batch, width]` after `inputs` `[batch, new, width]`; the cache grows."""
        return self._run(inputs, cache)[:, -1]

    def new_cache(self, batch: int) -> list[Cache]:
        config = self.config
        n_positions = config.prompt_length + config.max_frames
        shape = (batch, config.n_heads, n_positions, config.width // config.n_heads)
        return [Cache.empty(shape, self.norm.weight.device) for _ in self.blocks]

    def _run(self, x: Tensor, cache: list[Cache] | None) -> Tensor:
        start = cache[0].length if cache else 0
        rotation = rotary(start, x.shape[1], self.config.width // self.config.n_heads, x.device)
        for i, block in enumerate(self.blocks):
            x = block(x, rotation, cache[i] if cache else None)
        hidden: Tensor = self.norm(x)
        return hidden


@dataclass
class Cache:
    """Keys and values of one block, `[batch, heads, positions, head width]`, filled to `length`."""

    keys: Tensor
    values: Tensor
    length: int = 0

    @classmethod
    def empty(cls, shape: tuple[int, ...], device: torch.device | None = None) -> Cache:
        return cls(torch.zeros(shape, device=device), torch.zeros(shape, device=device))

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end = self.length + keys.shape[2]
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Only these rows, bool `[batch]`; they close up in the same memory."""
        for name in ("keys", "values"):
            block: Tensor = getattr(self, name)
            kept = block[rows, :, : self.length]
            block[: len(kept), :, : self.length] = kept
            setattr(self, name, block[: len(kept)])


class Block(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm = nn.RMSNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.feedforward_norm = nn.RMSNorm(width)
        self.feedforward_in = nn.Linear(width, 4 * width, bias=False)
        self.feedforward_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        x = x + self._attend(self.attention_norm(x), rotation, cache)
        inner: Tensor = self.feedforward_out(F.gelu(self.feedforward_in(self.feedforward_norm(x))))
        return x + inner

    def _attend(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        batch, time, width = x.shape
        split = self.query_key_value(x).view(batch, time, 3, self.n_heads, -1)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        queries, keys = rotate(queries, rotation), rotate(keys, rotation)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        # With a cache the prompt comes in one causal piece and every later call is one position.
        mixed = F.scaled_dot_product_attention(queries, keys, values, is_causal=time > 1)
        out: Tensor = self.attention_out(mixed.transpose(1, 2).reshape(batch, time, width))
        return out


def rotary(
    start: int, n: int, head_width: int, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines `[n, head_width / 2]` of the positions from `start`."""
    frequencies = 10_000.0 ** (-torch.arange(0, head_width, 2, device=device) / head_width)
    angles = torch.arange(start, start + n, device=device)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotates the halves of `[..., positions, head width]` against each other."""
    cos, sin = rotation
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


def _forbid_end(logits: Tensor, where: Tensor) -> Tensor:
    """`[..., size]` with the end code's logit at minus infinity where the mask `[...]` says so."""
    end = torch.where(where, -math.inf, logits[..., -1])
    return torch.cat([logits[..., :-1], end[..., None]], dim=-1)


def _rms(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


def new_transformer(config: TransformerConfig, generator: torch.Generator) -> CodecTransformer:
    """A model with weights drawn from `generator`; the global generator is not touched."""
    with torch.device("meta"):
        model = CodecTransformer(config)
    model.to_empty(device="cpu")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            _initialise(name, parameter, config, generator)
    return model


def _initialise(
    name: str, parameter: Tensor, config: TransformerConfig, generator: torch.Generator
) -> None:
    if name.endswith("norm.weight"):
        parameter.fill_(1.0)
        return
    embedding = "embedding" in name
    fan_in = parameter.shape[-2] if name.startswith("depth_") else parameter.shape[-1]
    scale = 0.5 / math.sqrt(config.n_codebooks) if embedding else fan_in**-0.5
    if name.endswith(("attention_out.weight", "feedforward_out.weight")):
        scale /= math.sqrt(2 * config.depth)
    parameter.normal_(0.0, scale, generator=generator)
