"""Align a model of your own: a GRU over one codebook learns to like falling code sequences.

The "listener" here is simulated: of two clips it prefers the one whose codes fall more often.
Runs in seconds on one core: `python examples/align_your_own_model.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from auralign.data.examples import TokenPair
from auralign.policies.layouts import append_end, pad_clips, require_clips
from auralign.policies.model_policy import ModelPolicy, draw
from auralign.training import TrainerSettings, train
from auralign.types import Prompt, Tokens

N_PROMPTS, N_CODES, MAX_FRAMES = 4, 8, 12
END = N_CODES  # the index after the last code


class OwnModel(nn.Module):
    """The next code after a prompt number and the codes so far."""

    def __init__(self, n_prompts: int, width: int = 32) -> None:
        super().__init__()
        self.start = nn.Embedding(n_prompts, width)
        self.codes = nn.Embedding(N_CODES + 1, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, N_CODES + 1)

    def forward(self, prompts: Tensor, codes: Tensor) -> Tensor:
        """int64 `[batch]` and `[batch, time]` -> logits `[batch, time + 1, code or end]`."""
        steps = torch.cat([self.start(prompts)[:, None], self.codes(codes)], dim=1)
        logits: Tensor = self.out(self.gru(steps)[0])
        logits[:, 0, END] = -torch.inf  # no clip is empty
        return logits


# guide: begin
@dataclass(frozen=True, eq=False)
class OwnPolicy(ModelPolicy):
    """All that auralign has to know of a model: its logits, and how it samples."""

    def logits(self, prompts, tokens):
        require_clips(tokens, n_codebooks=1, codebook_size=N_CODES, max_frames=MAX_FRAMES)
        codes, scored = append_end(*pad_clips(tokens), end=END, max_frames=MAX_FRAMES)
        codes, scored = codes.to(self.device), scored.to(self.device)
        numbers = torch.tensor([int(prompt.text) for prompt in prompts], device=self.device)
        logits = self.model(numbers, codes[:, 0, :-1])  # [batch, time + 1, size]
        return logits[:, None], codes, scored  # one codebook

    def sample_clips(self, prompts, temperature, generator):
        numbers = torch.tensor([int(prompt.text) for prompt in prompts], device=self.device)
        codes = torch.zeros(len(prompts), 0, dtype=torch.int64, device=self.device)
        for _ in range(MAX_FRAMES):
            last = self.model(numbers, codes)[:, -1]
            codes = torch.cat([codes, draw(last, temperature, generator)[:, None]], dim=1)
        codes = codes.cpu()
        ends = (codes == END).numpy()
        lengths = np.where(ends.any(1), ends.argmax(1), MAX_FRAMES)
        clips = [row[None, :n].numpy() for row, n in zip(codes, lengths, strict=True)]
        return clips, ends.any(1)


# guide: end


def make_policy() -> OwnPolicy:
    """The policy before alignment: what `align_your_own_model.py:make_policy` opens."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return OwnPolicy(OwnModel(N_PROMPTS))


def falling(clip: Tokens) -> float:
    """Share of the steps at which the code falls: what the simulated listener likes."""
    return float((np.diff(clip[0]) < 0).mean()) if clip.shape[1] > 1 else 0.0


def judged_pairs(policy: OwnPolicy, prompts: list[Prompt], generator: torch.Generator):
    """Two fresh clips for each prompt, several times; a tie is no pair."""
    rollout = policy.sample(prompts, 64, generator=generator)
    for first in range(0, len(rollout.tokens), 2):
        one, other = rollout.tokens[first : first + 2]
        if falling(one) != falling(other):
            chosen, rejected = sorted([one, other], key=falling, reverse=True)
            yield TokenPair(prompts[rollout.prompt_index[first]], chosen, rejected)


def main() -> tuple[float, float]:
    """Mean share of falling steps before and after alignment."""
    generator = torch.Generator().manual_seed(0)
    prompts = [Prompt(f"p{i}", str(i)) for i in range(N_PROMPTS)]
    policy = make_policy()
    reference = policy.frozen_copy()
    settings = TrainerSettings(
        objective="dpo", options={"beta": 0.1}, learning_rate=3e-3, n_epochs=10, batch_size=16
    )
    pairs = list(judged_pairs(policy, prompts, generator))
    train(policy, reference, pairs, settings, held_out=pairs[:32], keep="last")
    before, after = (
        float(np.mean([falling(c) for c in p.sample(prompts, 64, generator=generator).tokens]))
        for p in (reference, policy)
    )
    print(f"falling steps (simulated listener): {before:.2f} before, {after:.2f} after alignment")
    return before, after


if __name__ == "__main__":
    main()
