"""Audiobox aesthetics: enjoyment, usefulness, complexity and quality of speech, music and sound.

Tjandra et al., arXiv 2502.05139. The network is read from the published weights without the
authors' code: WavLM, for each axis a learned mean over its layers, the mean over time at unit
length, and a small perceptron (`model/aes_wavlm.py` and `infer.py` of
facebookresearch/audiobox-aesthetics). Clips go in at 16 kHz in windows of 10 s, the last filled
with zeros that are masked; the score is the mean by length. Runs in 32 bits, where the authors
name 16 and their code leaves them unused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from auralign.errors import ConfigError
from auralign.signals.measures.measurers import Float, each
from auralign.signals.models.checkpoints import below, read_checkpoint
from auralign.signals.models.fairseq_weights import load_encoder
from auralign.signals.models.optional import optional
from auralign.signals.signal import Direction, Item, Measure, Measurer, Signal, Values
from auralign.types import Audio

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

RATE = 16_000
WINDOW = 10 * RATE
AXES = {"CE": "enjoyment", "CU": "usefulness", "PC": "complexity", "PQ": "quality"}
PUBLISHED_AT = "dl.fbaipublicfiles.com/audiobox-aesthetics/checkpoint.pt"


def load(*, model: str = "") -> Measurer:
    """`model` is the file `checkpoint.pt`; ConfigError for none or another."""
    predict = _network(read_checkpoint(model, "model", PUBLISHED_AT))

    def measure(item: Item) -> Values:
        windows = list(_windows(item.audio))
        scores = np.array([predict(samples, n) for samples, n in windows])
        mean = np.average(scores, axis=0, weights=[n for _, n in windows])
        return dict(zip(AXES.values(), map(float, mean), strict=True))

    return each(measure)


def _windows(audio: Audio) -> Iterator[tuple[Float, int]]:
    """Samples of each window, filled with zeros, and how many are the clip's."""
    mono = audio.mono()
    for begin in range(0, mono.size, WINDOW):
        part = mono[begin : begin + WINDOW]
        yield np.pad(part, (0, WINDOW - part.size)), part.size


def _network(checkpoint: Mapping[str, Any]) -> Callable[[Float, int], Float]:
    """A function of samples `[WINDOW]` and their number that gives the scores of `AXES`."""
    torch = optional("torch", "mos")
    try:
        weights = {re.sub("^model.", "", k): w for k, w in checkpoint["state_dict"].items()}
        config, targets = checkpoint["model_cfg"], checkpoint["target_transform"]
        heads = {axis: _head(config, below(f"proj_layer.{axis}.", weights)) for axis in AXES}
        layers = {axis: weights[f"layer_weights.{axis}"].softmax(dim=0) for axis in AXES}
        scale = {axis: (float(targets[axis]["mean"]), float(targets[axis]["std"])) for axis in AXES}
        at_unit_length = bool(config["normalize_embed"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"expected the checkpoint of audiobox-aesthetics ({PUBLISHED_AT}), got another "
            f"({str(error).splitlines()[0]})"
        ) from error
    encoder = load_encoder("WavLM", below("wavlm_model.", weights))

    def score(axis: str, hidden: Tensor) -> float:
        embedding = torch.einsum("lc,l->c", hidden, layers[axis])
        if at_unit_length:
            embedding = torch.nn.functional.normalize(embedding, dim=0)
        mean, deviation = scale[axis]
        return float(heads[axis](embedding)) * deviation + mean

    def predict(samples: Float, n: int) -> Float:
        with torch.inference_mode():
            hidden = _layer_means(encoder, torch.from_numpy(samples)[None].float(), n)
            return np.array([score(axis, hidden) for axis in AXES])

    return predict


def _head(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Module:
    """The perceptron of an axis (`create_mlp_block`): linear maps of one width, with GELU."""
    nn = optional("torch.nn", "mos")
    if config["proj_act_fn"] != "gelu" or not config["use_weighted_layer_sum"]:
        raise KeyError("GELU and a sum over layers")
    n_layers, width = int(config["proj_num_layer"]), int(weights["0.weight"].shape[1])
    parts: list[Module] = []
    for _ in range(n_layers - 1):
        parts.append(nn.Linear(width, width))
        parts += [nn.LayerNorm(width)] if config["proj_ln"] else []
        parts.append(nn.GELU())
        parts += [nn.Dropout(config["proj_dropout"])] if config["proj_dropout"] else []
    head = nn.Sequential(*parts, nn.Linear(width, int(config["output_dim"])))
    head.load_state_dict(dict(weights))
    return head.eval()  # type: ignore[no-any-return]


def _layer_means(encoder: Any, wave: Tensor, n: int) -> Tensor:
    """Mean over the clip's frames of what goes into the first layer and comes out of each one.

    `[layers + 1, width]`, of `wave` `[1, WINDOW]` whose first `n` samples are the clip's. A frame
    counts when any sample of its share of the window does: each frame has an equal share, unlike in
    transformers, so the mask is made here.
    """
    features, _ = encoder.feature_projection(encoder.feature_extractor(wave).transpose(1, 2))
    n_frames = features.shape[1]
    share = wave.shape[1] // n_frames
    clip = (optional("torch", "mos").arange(n_frames) * share < n)[None]
    hidden: list[Tensor] = []
    hooks = [
        encoder.encoder.layers[0].register_forward_pre_hook(lambda _, x: hidden.append(x[0])),
        *(
            layer.register_forward_hook(lambda _, __, out: hidden.append(out[0]))
            for layer in encoder.encoder.layers
        ),
    ]
    try:
        with warnings.catch_warnings():
            # transformers gives torch a mask of another type than its position bias.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            encoder.encoder(features, attention_mask=clip)
    finally:
        for hook in hooks:
            hook.remove()
    return optional("torch", "mos").cat(hidden)[:, clip[0]].mean(dim=1)  # type: ignore[no-any-return]


SIGNALS = (
    Signal(
        name="aesthetics",
        version=1,
        summary="Audiobox aesthetics: content enjoyment and usefulness, production complexity and "
        "quality, each learned from ratings of 1 to 10.",
        measures=(
            Measure("enjoyment", "", Direction.MAX, ("overall",)),
            Measure("usefulness", "", Direction.MAX, ("overall",)),
            Measure("complexity", "", Direction.DESCRIPTIVE, ("production_quality",)),
            Measure("quality", "", Direction.MAX, ("production_quality",)),
        ),
        load=load,
        sample_rate=RATE,
        shortest_s=0.1,
        extra="mos",
        code_licence="CC-BY-4.0",
        weights_licence="CC-BY-4.0",
        download_bytes=415_000_000,
        failures=(
            "complexity counts components and is no quality: never maximise it",
            "musicality is better judged by models for music (arXiv 2603.00610)",
            "hears nothing above 8 kHz",
        ),
    ),
)
