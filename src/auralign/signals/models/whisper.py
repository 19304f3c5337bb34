"""Word and character errors of Whisper, by faster-whisper.

Decoding is made deterministic: no temperature is ever raised, no window is conditioned on the text
of the one before (which carries a hallucination on), and what Silero's detector (in the package)
calls no speech is not decoded. Whisper: Radford et al., arXiv 2212.04356.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign.errors import ConfigError
from auralign.signals.measures.measurers import all_missing, each, known
from auralign.signals.measures.transcripts import Normaliser, error_rates
from auralign.signals.models.optional import optional
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Requirement,
    Signal,
    Validity,
    Values,
)
from auralign.types import Audio

SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was heard, and how far it can be believed.

    compression_ratio       of the text of a window by gzip, the largest; above 2.4 it repeats
                            itself; None where nothing was heard
    no_speech_probability   of a window, the largest; 1 where no speech was detected at all
    """

    text: str
    compression_ratio: float | None
    no_speech_probability: float


Transcribe = Callable[[Audio], Transcription]


def load_transcriber(
    *,
    model: str = "small",
    language: str = "en",
    beam_size: int = 5,
    detect_speech: bool = True,
    device: str = "auto",
    local_files_only: bool = True,
) -> Transcribe:
    """A function that transcribes clips at 16 kHz.

    `model` is a folder, or the name of a size (`tiny` to `large-v3`), fetched from the hub only
    when `local_files_only` is turned off. Raises ConfigError when its files are not there.
    """
    network = _model(model, device, local_files_only)

    def transcribe(audio: Audio) -> Transcription:
        segments, _ = network.transcribe(
            audio.mono(),
            language=language,
            beam_size=beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=detect_speech,
        )
        heard = list(segments)
        return Transcription(
            "".join(segment.text for segment in heard).strip(),
            max((float(segment.compression_ratio) for segment in heard), default=None),
            max((float(segment.no_speech_prob) for segment in heard), default=1.0),
        )

    return transcribe


def load(
    *,
    model: str = "small",
    language: str = "en",
    beam_size: int = 5,
    detect_speech: bool = True,
    device: str = "auto",
    local_files_only: bool = True,
    normaliser: Normaliser = "english",
) -> Measurer:
    """Errors of `load_transcriber`'s transcripts; options and exceptions as there."""
    transcribe = load_transcriber(
        model=model,
        language=language,
        beam_size=beam_size,
        detect_speech=detect_speech,
        device=device,
        local_files_only=local_files_only,
    )
    return each(lambda item: _measure(item, transcribe, normaliser))


def _measure(item: Item, transcribe: Transcribe, normaliser: Normaliser) -> Values:
    heard = transcribe(item.audio)
    rates = error_rates(item.text or "", heard.text, normaliser)
    errors = rates or all_missing(("wer", "cer"), "the text has no words")
    return {
        "wer": errors["wer"],
        "cer": errors["cer"],
        "compression_ratio": known(heard.compression_ratio, "nothing was heard"),
        "no_speech_probability": heard.no_speech_probability,
    }


def _model(name: str, device: str, local_files_only: bool) -> Any:
    package = optional("faster_whisper", "asr")
    folder = Path(name)
    if local_files_only and folder.is_dir() and not (folder / "tokenizer.json").is_file():
        # faster-whisper would fetch one, whatever it was told.
        raise ConfigError(f"'{name}' lacks tokenizer.json: copy it from the model's files")
    try:
        return package.WhisperModel(name, device=device, local_files_only=local_files_only)
    except (OSError, ValueError, RuntimeError) as error:
        where = "local files are allowed only" if local_files_only else "downloads are allowed"
        raise ConfigError(
            f"expected a Whisper model for CTranslate2 at '{name}' (a folder, or a size; {where}): "
            "give the option `model` a folder that has one, or download it first"
        ) from error


_CONTENT = ("content_preservation",)

SIGNALS = (
    Signal(
        name="wer_whisper",
        version=1,
        summary="Word and character error rate of Whisper (faster-whisper), with signs of "
        "hallucination beside them.",
        measures=(
            Measure("wer", "", Direction.MIN, _CONTENT, low=0.0),
            Measure("cer", "", Direction.MIN, _CONTENT, low=0.0),
            Measure("compression_ratio", "", Direction.DESCRIPTIVE, _CONTENT, low=0.0),
            Measure("no_speech_probability", "", Direction.DESCRIPTIVE, _CONTENT, 0.0, 1.0),
        ),
        load=load,
        requires=frozenset({Requirement.TEXT}),
        sample_rate=SAMPLE_RATE,
        shortest_s=0.1,
        device="any",
        extra="asr",
        code_licence="MIT",
        weights_licence="MIT",
        download_bytes=484_000_000,
        validity=(
            Validity(
                "LibriSpeech test-clean, read English",
                "word error rate 2.7 % (large-v2)",
                "arXiv 2212.04356, table 2",
            ),
        ),
        failures=(
            "its language model repairs words that were said wrongly",
            "invents words in silence, noise and music, and repeats itself: see the compression "
            "ratio (above 2.4) and the probability of no speech (above 0.6)",
            "blind to prosody: optimised alone it flattens speech (arXiv 2509.18531)",
        ),
    ),
)
