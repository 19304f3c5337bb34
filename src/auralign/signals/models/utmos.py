"""UTMOS: naturalness of synthetic speech, by the strong learner of the VoiceMOS Challenge 2022.

Saeki et al., arXiv 2204.02152. The network is read from the published weights without the authors'
code: wav2vec 2.0, beside each frame an embedding of the data domain and one of the mean listener, a
bidirectional LSTM, a score of each frame, and their mean (`speechmos/utmos22/strong/model.py` of
tarepan/SpeechMOS 1.2, which carries the weights). The clip goes in as it is, at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from auralign.errors import ConfigError
from auralign.signals.measures.measurers import each
from auralign.signals.models.checkpoints import below, read_checkpoint
from auralign.signals.models.fairseq_weights import load_encoder
from auralign.signals.models.optional import optional
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Signal,
    Validity,
    Values,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

RATE = 16_000
PUBLISHED_AT = "github.com/tarepan/SpeechMOS/releases/download/v1.0.0/utmos22_strong_step7459_v1.pt"


def load(*, model: str = "") -> Measurer:
    """`model` is the file `utmos22_strong_step7459_v1.pt`; ConfigError for none or another."""
    weights = read_checkpoint(model, "model", PUBLISHED_AT)
    encoder = load_encoder("Wav2Vec2", below("wav2vec2.", weights))
    context, head = _head(weights)
    embeddings = [weights["domain_emb"], weights["judge_emb"]]
    torch = optional("torch", "mos")

    def measure(item: Item) -> Values:
        wave = torch.from_numpy(np.ascontiguousarray(item.audio.mono()))[None]
        with torch.inference_mode():
            frames = encoder(wave).last_hidden_state
            beside = [e[:, None].expand(-1, frames.shape[1], -1) for e in embeddings]
            scores = head(context(torch.cat([frames, *beside], dim=2))[0])
        return {"utmos": float(scores.mean()) * 2 + 3}

    return each(measure)


def _head(weights: Mapping[str, Tensor]) -> tuple[Any, nn.Module]:
    """The LSTM over frames and the scores of its outputs; sizes are read off the weights."""
    nn = optional("torch.nn", "mos")
    try:
        n_inputs = weights["blstm.weight_ih_l0"].shape[1]
        n_hidden = weights["blstm.weight_hh_l0"].shape[1]
        lstm = nn.LSTM(n_inputs, n_hidden, batch_first=True, bidirectional=True)
        lstm.load_state_dict(below("blstm.", weights))
        wide = weights["projection.0.weight"].shape[0]
        head = nn.Sequential(nn.Linear(2 * n_hidden, wide), nn.ReLU(), nn.Linear(wide, 1))
        head.load_state_dict(below("projection.", weights))
    except (KeyError, RuntimeError) as error:
        raise ConfigError(
            f"expected the weights of UTMOS ({PUBLISHED_AT}), got others "
            f"({str(error).splitlines()[0]})"
        ) from error
    return lstm.eval(), head.eval()


SIGNALS = (
    Signal(
        name="utmos",
        version=1,
        summary="UTMOS (strong learner): predicted naturalness of synthetic speech.",
        measures=(Measure("utmos", "MOS", Direction.MAX, ("overall",)),),
        load=load,
        sample_rate=RATE,
        shortest_s=0.1,
        longest_s=60.0,
        extra="mos",
        code_licence="MIT",
        weights_licence="MIT",
        download_bytes=400_000_000,
        validity=(
            Validity(
                "VoiceMOS 2022, systems of earlier Blizzard and voice conversion challenges",
                "system SRCC above 0.9 within its domain",
                "arXiv 2204.02152",
            ),
        ),
        failures=(
            "systems that it has not met are the hardest (arXiv 2110.02635)",
            "knows English and Mandarin of 2008 to 2020; saturates on good systems of today",
        ),
    ),
)
