"""Signals and embeddings by pretrained models of transformers, from a folder or a name on the hub.

Nothing is fetched unless `local_files_only` is turned off. A clip is seen in whole windows one
after the other, never in a random crop; each window runs by itself, so that no score depends on
which clips were scored together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from auralign.audio.clips import resample
from auralign.errors import ConfigError
from auralign.signals.measures.measurers import Float, each
from auralign.signals.models.optional import optional
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

if TYPE_CHECKING:
    from torch import Tensor

Embed = Callable[[Sequence[Audio]], Float]
"""An embedding of each clip, `[clips, d]`."""

WINDOW_S = 10.0
CLAP = "laion/clap-htsat-unfused"
SPEAKER = "microsoft/wavlm-base-plus-sv"

_CLAP_RATE = 48_000
_SPEECH_RATE = 16_000
_SHORTEST_WINDOW_S = 0.1


def load_clap(*, model: str = CLAP, local_files_only: bool = True) -> Measurer:
    """Cosine of the embeddings of audio and text; over windows of 10 s, their mean by length."""
    clap = _model("ClapModel", model, local_files_only)
    extract = _extractor("ClapFeatureExtractor", model, local_files_only, _CLAP_RATE)
    tokenize = _loaded("AutoTokenizer", model, local_files_only)

    def measure(item: Item) -> Values:
        if not (item.text or "").strip():
            return {"clap_score": Missing("the text has no words")}
        tokens = tokenize(item.text, return_tensors="pt", truncation=True)
        text = _run(clap.get_text_features, **tokens)
        audio = (_clap_embedding(clap, extract, window) for window in _windows(item.audio))
        cosines = np.array([float(a @ text) for a in audio])
        return {"clap_score": float(np.average(cosines, weights=_weights(item.audio)))}

    return each(measure)


def load_speaker_similarity(*, model: str = SPEAKER, local_files_only: bool = True) -> Measurer:
    """Cosine of the x-vectors of clip and reference (WavLM, arXiv 2110.13900)."""
    network = _model("WavLMForXVector", model, local_files_only)
    extract = _extractor("AutoFeatureExtractor", model, local_files_only, _SPEECH_RATE)

    def embedding(audio: Audio) -> Float:
        inputs = extract(audio.mono(), sampling_rate=_SPEECH_RATE, return_tensors="pt")
        return _unit(_run(network, **inputs, pick="embeddings"))

    def measure(item: Item) -> Values:
        if item.reference is None:
            return {"speaker_similarity": Missing("there is no reference recording")}
        return {"speaker_similarity": float(embedding(item.audio) @ embedding(item.reference))}

    return each(measure)


def load_encoder(*, model: str, local_files_only: bool = True) -> Embed:
    """The last layer of a speech or audio encoder, averaged over time and windows of 10 s.

    `model` is one that AutoModel knows and that takes samples (WavLM, HuBERT, wav2vec 2.0, ...).
    Clips are mixed down and resampled to the rate of its feature extractor.
    """
    network = _model("AutoModel", model, local_files_only)
    extract = _extractor("AutoFeatureExtractor", model, local_files_only)
    rate = int(extract.sampling_rate)

    def of_window(window: Float) -> Float:
        inputs = extract(window, sampling_rate=rate, return_tensors="pt")
        frames = _run(network, **inputs, pick="last_hidden_state")
        return np.asarray(frames.mean(axis=0))

    def of_clip(audio: Audio) -> Float:
        audio = resample(audio, rate)
        windows = [of_window(window) for window in _windows(audio)]
        return np.asarray(np.average(windows, axis=0, weights=_weights(audio)))

    return lambda audios: np.stack([of_clip(audio) for audio in audios])


def _clap_embedding(clap: Any, extract: Any, window: Float) -> Float:
    inputs = extract([window], sampling_rate=_CLAP_RATE, return_tensors="pt")
    # The window fits, whatever the extractor says: with one clip, it calls it longer by a draw.
    inputs["is_longer"] = inputs["is_longer"] & False
    return _run(clap.get_audio_features, **inputs)


def _windows(audio: Audio) -> Iterator[Float]:
    """The mono mix in windows of 10 s; the last is shorter, but never under 0.1 s."""
    mono = audio.mono()
    for begin, end in _bounds(audio):
        yield mono[begin:end].astype(np.float64)


def _weights(audio: Audio) -> Float:
    """The length of each window."""
    return np.array([end - begin for begin, end in _bounds(audio)], dtype=np.float64)


def _bounds(audio: Audio) -> list[tuple[int, int]]:
    size = round(WINDOW_S * audio.sample_rate)
    rest = audio.n_samples - round(_SHORTEST_WINDOW_S * audio.sample_rate)
    begins = range(0, max(rest, 1), size)
    return [(begin, min(begin + size, audio.n_samples)) for begin in begins]


def _run(network: Callable[..., Any], *, pick: str = "pooler_output", **inputs: Tensor) -> Float:
    """What the network makes of a batch of one, float64, without the batch axis."""
    torch = optional("torch", "hub")
    with torch.inference_mode():
        out = network(**inputs)
    return np.asarray(getattr(out, pick)[0].double().numpy())


def _unit(vector: Float) -> Float:
    return vector / np.linalg.norm(vector)


def _model(class_name: str, name: str, local_files_only: bool) -> Any:
    """A network in evaluation mode; ConfigError when weights that it has are not in the files.

    transformers would make up those weights, such as a whole head, and only warn.
    """
    model, found = _loaded(class_name, name, local_files_only, output_loading_info=True)
    if found["missing_keys"]:
        raise ConfigError(
            f"'{name}' lacks {len(found['missing_keys'])} weights of {class_name}, such as "
            f"{min(found['missing_keys'])}: choose the files of such a model"
        )
    return model.eval()


def _loaded(class_name: str, name: str, local_files_only: bool, **settings: Any) -> Any:
    loader = getattr(optional("transformers", "hub"), class_name)
    try:
        return loader.from_pretrained(name, local_files_only=local_files_only, **settings)
    except (OSError, ValueError, RuntimeError) as error:
        where = "local files are allowed only" if local_files_only else "downloads are allowed"
        raise ConfigError(
            f"expected files that {class_name} loads at '{name}' (a folder, or a name on the hub; "
            f"{where}): give the option `model` a folder that has them, or download them first"
        ) from error


def _extractor(class_name: str, name: str, local_files_only: bool, rate: int | None = None) -> Any:
    """A feature extractor; ConfigError when it is for another rate [Hz]."""
    extract = _loaded(class_name, name, local_files_only)
    if rate is not None and int(extract.sampling_rate) != rate:
        raise ConfigError(
            f"expected a model for {rate} Hz, '{name}' takes {extract.sampling_rate} Hz"
        )
    return extract


_CLAP_VALIDITY = (
    Validity(
        "text to audio, relevance rated by people", "SRCC 0.28 (CLAP score)", "arXiv 2506.23553"
    ),
    Validity("XACLE 2026, audio and text", "SRCC 0.334 (baseline)", "arXiv 2602.00604"),
)

SIGNALS = (
    Signal(
        name="clap_score",
        version=1,
        summary="Cosine of the CLAP embeddings of the clip and of the text it was asked for.",
        measures=(
            Measure("clap_score", "", Direction.MAX, ("task_achievement",), low=-1.0, high=1.0),
        ),
        load=load_clap,
        requires=frozenset({Requirement.TEXT}),
        sample_rate=_CLAP_RATE,
        shortest_s=_SHORTEST_WINDOW_S,
        extra="hub",
        weights_licence="Apache-2.0",
        download_bytes=615_000_000,
        validity=_CLAP_VALIDITY,
        failures=(
            "blind to the order of events, and nearly to their number",
            "the same model must not have chosen the clips that it is to judge",
        ),
    ),
    Signal(
        name="speaker_similarity",
        version=1,
        summary="Cosine of the WavLM x-vectors of the clip and of a recording of the speaker.",
        measures=(
            Measure(
                "speaker_similarity",
                "",
                Direction.MAX,
                ("task_achievement",),
                low=-1.0,
                high=1.0,
            ),
        ),
        load=load_speaker_similarity,
        requires=frozenset({Requirement.REFERENCE}),
        sample_rate=_SPEECH_RATE,
        shortest_s=0.5,
        longest_s=60.0,
        extra="hub",
        weights_licence="CC-BY-SA-3.0",
        download_bytes=405_000_000,
        failures=(
            "depends on duration and channel: compare clips of one length and one microphone",
            "where one speaker ends and another begins is a matter of each model",
        ),
    ),
)
