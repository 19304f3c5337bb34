"""SCOREQ: speech quality by contrastive regression, without a reference or against clean speech.

Input as in `scoreq.py` of alessandroragano/scoreq: mono at 16 kHz as it is, zeros appended up to a
multiple of 320 samples. Ragano, Skoglund and Hines, NeurIPS 2024. Which file is right depends on
the domain: `..._telephone.onnx` for recorded speech, `..._synthetic.onnx` for synthetic speech.
"""

from __future__ import annotations

import numpy as np

from auralign.signals.measures.measurers import Float, each
from auralign.signals.models.onnx import Network, load_network
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Missing,
    Requirement,
    Signal,
    Validity,
    Values,
)
from auralign.types import Audio

RATE = 16_000
STRIDE = 320
"""Samples between frames of wav2vec 2.0."""
PUBLISHED_AT = "zenodo.org/records/15739280"


def load_quality(*, model: str = "") -> Measurer:
    """`model` is `adapt_nr_telephone.onnx` or `adapt_nr_synthetic.onnx`."""
    network = load_network(model, "model", PUBLISHED_AT)
    return each(lambda item: {"scoreq": float(_output(network, item.audio).item())})


def load_distance(*, model: str = "") -> Measurer:
    """`model` is `fixed_nmr_telephone.onnx` or `fixed_nmr_synthetic.onnx`."""
    network = load_network(model, "model", PUBLISHED_AT)

    def measure(item: Item) -> Values:
        if item.reference is None:
            return {"scoreq_distance": Missing("there is no reference recording")}
        difference = _output(network, item.audio) - _output(network, item.reference)
        return {"scoreq_distance": float(np.linalg.norm(difference))}

    return each(measure)


def _output(network: Network, audio: Audio) -> Float:
    signal = audio.mono()
    padded = np.pad(signal, (0, -signal.size % STRIDE))
    return network(padded[None]).astype(np.float64)


_FAILURES = (
    "the file has to fit the domain: on VoiceMOS 2022 (test 2) the model for recorded speech has "
    "0.82 where that for synthetic speech has 0.98",
    "trained on at most 4 s, evaluated on at most 15 s",
)

SIGNALS = (
    Signal(
        name="scoreq",
        version=1,
        summary="SCOREQ without a reference: predicted MOS of speech.",
        measures=(Measure("scoreq", "MOS", Direction.MAX, ("production_quality", "overall")),),
        load=load_quality,
        sample_rate=RATE,
        shortest_s=0.5,
        longest_s=60.0,
        extra="mos",
        code_licence="MIT",
        weights_licence="MIT",
        download_bytes=380_000_000,
        validity=(
            Validity(
                "VoiceMOS 2022 test 1 and 2, synthetic speech",
                "PCC 0.90 and 0.98 (synthetic), 0.86 and 0.82 (telephone)",
                "alessandroragano/scoreq README",
            ),
            Validity(
                "NISQA P501 and FOR, codecs and packet loss",
                "PCC 0.96 and 0.97 (telephone), 0.86 and 0.82 (synthetic)",
                "alessandroragano/scoreq README",
            ),
        ),
        failures=_FAILURES,
    ),
    Signal(
        name="scoreq_distance",
        version=1,
        summary="SCOREQ against any clean speech: Euclidean distance of embeddings.",
        measures=(
            Measure(
                "scoreq_distance", "", Direction.MIN, ("production_quality",), low=0.0, high=2.0
            ),
        ),
        load=load_distance,
        requires=frozenset({Requirement.REFERENCE}),
        sample_rate=RATE,
        shortest_s=0.5,
        longest_s=60.0,
        extra="mos",
        code_licence="MIT",
        weights_licence="MIT",
        download_bytes=380_000_000,
        failures=(*_FAILURES, "the reference has to be clean speech; nothing else was evaluated"),
    ),
)
