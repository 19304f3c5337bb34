"""A reward model: a pretrained speech encoder and a small head trained on preference pairs."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auralign.audio.levels import log_crest_factor
from auralign.files import reading, write_bytes
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.signals.recognisers.words import word_errors
from auralign.types import Audio, Prompt

Float = NDArray[np.float32]


LOG_USUAL_PACE = math.log(0.4)
"""Logarithm of seconds per word in careful speech."""


@dataclass(frozen=True, eq=False)
class SpeechFeatures:
    """What the head sees of a clip and its prompt: frozen, so that it is computed once per clip.

    Pooled states of the encoder, how well the encoder hears the asked words (negative
    log-likelihood, its excess over that of the heard words, word error), log seconds per word and
    its squared distance from the usual (too fast and too slow are alike), the crest factor (what
    clipping does to the waveform is not in the encoder's spectra), and which voice was asked for.
    Log-likelihoods enter by their logarithms too: beyond a few nats wrong is wrong.
    """

    encoder: CtcRecogniser
    conditions: tuple[str, ...]

    def __call__(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> Float:
        """float32 `[clips, features]`."""
        texts = [p.text for p in prompts]
        heard = self.encoder.listen(audios, texts)
        errors = np.array(word_errors(texts, heard.transcripts), dtype=np.float64)
        log_pace = np.log([audio.duration_s for audio in audios]) - np.log(errors[:, 1])
        asked = np.array([[(p.condition or "") == c for c in self.conditions] for p in prompts])
        columns = (
            heard.pooled,
            heard.nll_per_word,
            np.log1p(heard.nll_per_word),
            np.log1p(heard.excess),
            errors[:, 0] / errors[:, 1],
            log_pace,
            (log_pace - LOG_USUAL_PACE) ** 2,
            [log_crest_factor(audio) for audio in audios],
            asked,
        )
        return np.column_stack(columns).astype(np.float32)


@dataclass(frozen=True, eq=False)
class BradleyTerryReward:
    """A `RewardModel`: the difference of two rewards is the log-odds that listeners prefer one.

    centre, spread   of the features over the clips that the head was trained on
    """

    features: SpeechFeatures
    head: nn.Module
    centre: Tensor
    spread: Tensor
    card: Mapping[str, Any]

    @property
    def sample_rate(self) -> int:
        """Hz that the encoder works at; other rates are converted."""
        return 16_000

    @torch.no_grad()
    def score(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        """Reward in logits, `[clips]`; higher is better."""
        return self.score_features(self.features(audios, prompts))

    @torch.no_grad()
    def score_features(self, features: Float) -> NDArray[np.float64]:
        inputs = (torch.from_numpy(features) - self.centre) / self.spread
        return np.asarray(self.head(inputs)[:, 0].double().numpy())

    def save(self, folder: Path) -> None:
        """Two files in an existing folder."""
        self.features.encoder.save(folder / "encoder.pt")
        stored = {
            "conditions": list(self.features.conditions),
            "head": self.head.state_dict(),
            "centre": self.centre,
            "spread": self.spread,
            "card": dict(self.card),
            "n_members": len(self.head.members) if isinstance(self.head, Ensemble) else 0,
        }
        buffer = io.BytesIO()
        torch.save(stored, buffer)
        write_bytes(folder / "head.pt", buffer.getvalue())

    @classmethod
    def load(cls, folder: Path) -> BradleyTerryReward:
        """Raises DataError for anything that `save` did not write."""
        with reading(folder / "head.pt", "a reward model written by BradleyTerryReward.save"):
            stored = torch.load(folder / "head.pt", weights_only=True)
            n_features, n_members = len(stored["centre"]), stored["n_members"]
            members = [new_head(n_features, torch.Generator()) for _ in range(max(1, n_members))]
            head = Ensemble(members) if n_members else members[0]
            head.load_state_dict(stored["head"])
            encoder = CtcRecogniser.load(folder / "encoder.pt")
            features = SpeechFeatures(encoder, tuple(stored["conditions"]))
            return cls(features, head.eval(), stored["centre"], stored["spread"], stored["card"])


class Ensemble(nn.Module):
    """The mean of several heads, which errs less than any one of them."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        """`[clips, features]` -> `[clips, 1]`."""
        return torch.stack([member(inputs) for member in self.members]).mean(0)


def average(rewards: Sequence[BradleyTerryReward]) -> BradleyTerryReward:
    """One reward model of several that were trained on the same clips with other random numbers."""
    head = Ensemble([reward.head for reward in rewards]).eval()
    card = {**rewards[0].card, "n_members": len(rewards)}
    return replace(rewards[0], head=head, card=card)


def new_head(n_features: int, generator: torch.Generator, width: int = 64) -> nn.Module:
    """Two layers; the last starts at zero, so that an untrained head prefers nothing."""
    with torch.device("meta"):
        first, last = nn.Linear(n_features, width), nn.Linear(width, 1)
    head = nn.Sequential(first, nn.GELU(), last).to_empty(device="cpu")
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        first.weight.normal_(0.0, n_features**-0.5, generator=generator)
    return head
