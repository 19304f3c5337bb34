"""Policies that can go on with the beginning of a clip: what planning and refinement need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from auralign.test_time.selection import Candidates, Index, Sampler
from auralign.types import Prompt, Tokens

if TYPE_CHECKING:
    import torch

CLIPS_AT_ONCE = 32
"""How many clips a policy is asked to go on with in one batch, as `ModelPolicy` samples them."""


class ContinuingSampler(Sampler, Protocol):
    """The built-in `CodecLanguageModel` and `CausalCodecPolicy` are such policies."""

    def continue_from(
        self,
        prompts: Sequence[Prompt],
        prefixes: Index,
        temperature: float,
        generator: torch.Generator,
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        """One whole clip for each of the prefixes, and whether it ended itself.

        prefixes   int64 [clips, codebook, time], all of one length, which may be 0

        A clip begins with its prefix, and the rest is drawn as `sample` draws it. A prefix that is
        as long as a clip can be comes back as it is.
        """
        ...


def go_on(
    policy: ContinuingSampler,
    prompts: Sequence[Prompt],
    starts: Sequence[tuple[int, Tokens]],
    *,
    generator: torch.Generator,
    temperature: float,
) -> Candidates:
    """A clip for each start, which is a prompt's index and a prefix `[codebook, time]`.

    Only prefixes of one length share a batch; the clips come in the order of the starts.
    """
    index = np.array([prompt for prompt, _ in starts], dtype=np.int64)
    lengths = np.array([prefix.shape[1] for _, prefix in starts])
    clips: dict[int, Tokens] = {}
    terminated = np.zeros(len(starts), dtype=np.bool_)
    for length in np.unique(lengths):
        equal = np.flatnonzero(lengths == length)
        for rows in np.split(equal, range(CLIPS_AT_ONCE, len(equal), CLIPS_AT_ONCE)):
            asked = [prompts[i] for i in index[rows].tolist()]
            prefixes = np.stack([starts[i][1] for i in rows.tolist()])
            new, terminated[rows] = policy.continue_from(asked, prefixes, temperature, generator)
            clips.update(zip(rows.tolist(), new, strict=True))
    return Candidates(index, [clips[i] for i in range(len(starts))], terminated)
