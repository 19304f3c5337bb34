"""Whisper: a tiny model whose weights make it say one sentence, whatever it hears."""

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from auralign.audio import resample
from auralign.audio.espeak import say
from auralign.errors import ConfigError
from auralign.signals.models.whisper import SAMPLE_RATE, load, load_transcriber
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

pytest.importorskip("faster_whisper")
converters = pytest.importorskip("ctranslate2.converters.transformers")

WORDS = ["<unk>", "one", "two", "three", "four"]
SPECIAL = [
    "<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
]  # fmt: skip
TOKENS = [*WORDS, *SPECIAL, *(f"<|{i * 0.02:.2f}|>" for i in range(101))]
WIDTH = 128
"""More than there are tokens, so that each has a direction of its own."""


def speaking(*sentence: str) -> transformers.WhisperForConditionalGeneration:
    """Layers that pass on their input, and after each position the token that is to follow."""
    config = transformers.WhisperConfig(
        vocab_size=len(TOKENS), d_model=WIDTH, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=1, decoder_attention_heads=1, encoder_ffn_dim=4, decoder_ffn_dim=4,
        pad_token_id=5, bos_token_id=5, eos_token_id=5, decoder_start_token_id=6,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if "norm.weight" in name else 0.0)
        model.model.decoder.embed_tokens.weight.copy_(torch.eye(len(TOKENS), WIDTH))
        for place, token in enumerate(("<|0.00|>", *sentence, "<|1.00|>", "<|endoftext|>")):
            model.model.decoder.embed_positions.weight[place, TOKENS.index(token)] = 20.0
    return model


def save(model: transformers.WhisperForConditionalGeneration, folder) -> str:
    spec = converters.WhisperLoader().get_model_spec(model)
    spec.register_vocabulary(TOKENS)
    spec.config.suppress_ids = spec.config.suppress_ids_begin = spec.config.lang_ids = []
    spec.config.alignment_heads = [[0, 0]]
    spec.validate()
    spec.save(str(folder))
    inner = tokenizers.models.WordLevel({t: i for i, t in enumerate(TOKENS)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(inner)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


@pytest.fixture(scope="module")
def speech() -> Audio:
    return resample(say("one two three", voice="en-us"), SAMPLE_RATE)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save(speaking("one", "two", "three"), tmp_path_factory.mktemp("whisper"))


def test_the_transcript_is_what_the_weights_say(model, speech):
    heard = load_transcriber(model=model, device="cpu")(speech)
    assert heard.text == "one two three"
    assert heard.compression_ratio < 1.5
    assert 0 <= heard.no_speech_probability < 0.1


def test_errors_are_those_of_the_transcript_after_normalising_both(model, speech):
    texts = ["One, two, three!", "1 2 4", "one", "..."]
    found = load(model=model, device="cpu")([Item("clip", speech, text=text) for text in texts])
    assert [values["wer"] for values in found[:3]] == [0, pytest.approx(1 / 3), 2]
    assert found[1]["cer"] == pytest.approx(5 / len("one two four"))
    assert found[3]["wer"] == Missing("the text has no words")


def test_a_transcript_that_repeats_itself_compresses(tmp_path, speech):
    repeating = save(speaking(*["two"] * 40), tmp_path)
    heard = load_transcriber(model=repeating, device="cpu")(speech)
    assert heard.text == " ".join(["two"] * 40)
    assert heard.compression_ratio > 2.4


def test_what_is_no_speech_is_not_decoded_unless_asked(model):
    samples = np.random.default_rng(0).standard_normal((1, SAMPLE_RATE)).astype(np.float32)
    noise = Audio(0.01 * samples, SAMPLE_RATE)
    careful, rash = (
        load_transcriber(model=model, device="cpu", detect_speech=detect)(noise)
        for detect in (True, False)
    )
    assert careful.text == ""
    assert careful.compression_ratio is None
    assert careful.no_speech_probability == 1
    assert rash.text == "one two three"


def test_files_that_are_not_there_are_not_looked_for_elsewhere(tmp_path, model):
    with pytest.raises(ConfigError, match=r"a Whisper model for CTranslate2 at .* only"):
        load(model=str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match=r"lacks tokenizer.json"):
        load(model=str(tmp_path))
