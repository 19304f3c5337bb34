"""Tiny codecs with random weights: what is checked is layout, lengths and codebooks, not sound."""

import numpy as np
import pytest
import torch
import transformers

from auralign.errors import AudioError, ConfigError, DataError
from auralign.policies.transformers_codec import KINDS, TransformersCodec
from auralign.types import Audio, Codec

pytestmark = pytest.mark.slow

CLASSES = {
    "encodec": transformers.EncodecModel,
    "dac": transformers.DacModel,
    "mimi": transformers.MimiModel,
    "xcodec": transformers.XcodecModel,
}
FRAME_RATES = {"dac": 100.0, "encodec": 100.0, "mimi": 50.0, "xcodec": 50.0}


def config(kind: str, **changes: object) -> transformers.PreTrainedConfig:
    small = {"hidden_size": 8, "num_filters": 2, "codebook_dim": 8, "sampling_rate": 800}
    if kind == "encodec":
        sizes = {"upsampling_ratios": [4, 2], "codebook_size": 8, "target_bandwidths": [0.6, 1.2]}
        return transformers.EncodecConfig(**{**small, **sizes, **changes})
    dac = {"encoder_hidden_size": 2, "decoder_hidden_size": 16, "codebook_dim": 2}
    if kind == "dac":
        sizes = {"downsampling_ratios": [2, 4], "codebook_size": 16, "n_codebooks": 4}
        return transformers.DacConfig(**dac, **sizes, sampling_rate=800)
    if kind == "mimi":
        sizes = {
            "upsampling_ratios": [4, 2],
            "codebook_size": 16,
            "num_quantizers": 4,
            "vector_quantization_hidden_dimension": 8,
            "upsample_groups": 8,
            "num_hidden_layers": 1,
            "intermediate_size": 8,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
        }
        return transformers.MimiConfig(**small, **sizes)
    semantic = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 8}
    return transformers.XcodecConfig(
        codebook_size=16,
        target_bandwidths=[0.4, 0.8],
        acoustic_model_config=transformers.DacConfig(**dac, downsampling_ratios=[8, 5, 4, 2]),
        semantic_model_config=transformers.HubertConfig(
            **semantic, num_hidden_layers=1, conv_dim=(4,) * 7
        ),
    )


def make_model(kind: str, **changes: object) -> transformers.PreTrainedModel:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLASSES[kind](config(kind, **changes)).eval()
    # An untrained EnCodec hardly hears: its latents are nearly constant.
    for name, weight in model.named_parameters():
        if kind == "encodec" and name.endswith("weight.original0"):
            weight.data *= 3
    # Untrained codebooks are all zeros: every code would be the first one.
    for name, buffer in model.named_buffers():
        if name.endswith(("embed", "embed_sum")):
            buffer.normal_(0, 0.1, generator=generator)
        if name.endswith("cluster_usage"):
            buffer.fill_(1)
    return model


@pytest.fixture(scope="module")
def models() -> dict[str, transformers.PreTrainedModel]:
    return {kind: make_model(kind) for kind in KINDS}


def noise(codec: TransformersCodec, seconds: float, channels: int = 1) -> Audio:
    samples = np.random.default_rng(0).normal(size=(channels, round(seconds * codec.sample_rate)))
    return Audio(0.3 * samples.astype(np.float32), codec.sample_rate)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_codebook_by_time_at_the_stated_rate(models, kind):
    codec = TransformersCodec(models[kind], 3)
    assert isinstance(codec, Codec)
    assert codec.available_codebooks == 4
    assert codec.frame_rate == FRAME_RATES[kind]
    tokens = codec.encode([noise(codec, 1.0), noise(codec, 0.5)])
    assert [t.shape for t in tokens] == [(3, codec.frame_rate), (3, codec.frame_rate / 2)]
    assert all(t.dtype == np.int64 for t in tokens)
    assert len(np.unique(tokens[0])) > 3
    assert all(t.min() >= 0 and t.max() < codec.codebook_size for t in tokens)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_codebooks_are_the_first_ones_of_more(models, kind):
    audio = noise(TransformersCodec(models[kind], 1), 0.5)
    all_four = TransformersCodec(models[kind], 4).encode([audio])[0]
    for n in (1, 2, 3):
        np.testing.assert_array_equal(
            TransformersCodec(models[kind], n).encode([audio])[0], all_four[:n]
        )


def test_the_first_codebooks_are_what_the_models_own_options_give(models):
    own = {
        "encodec": lambda m, x: m.encode(x, bandwidth=0.6).audio_codes[0, 0],
        "dac": lambda m, x: m.encode(x, n_quantizers=2).audio_codes[0],
        "mimi": lambda m, x: m.encode(x, num_quantizers=2).audio_codes[0],
        "xcodec": lambda m, x: m.encode(x, bandwidth=0.4).audio_codes[0],
    }
    for kind, encode in own.items():
        codec = TransformersCodec(models[kind], 2)
        audio = noise(codec, 0.5)
        with torch.no_grad():
            codes = encode(models[kind], torch.from_numpy(audio.samples)[None])
        np.testing.assert_array_equal(codec.encode([audio])[0], codes.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_gives_the_models_own_audio_of_the_length_of_the_frames(models, kind):
    codec = TransformersCodec(models[kind], 2)
    audio = noise(codec, 0.5)
    tokens = codec.encode([audio])
    decoded = codec.decode(tokens)[0]
    assert decoded.samples.dtype == np.float32
    assert decoded.sample_rate == codec.sample_rate
    assert decoded.samples.shape == audio.samples.shape
    codes = torch.from_numpy(tokens[0])[None]
    options = {"audio_scales": [None]} if kind == "encodec" else {}
    with torch.no_grad():
        out = models[kind].decode(
            audio_codes=codes[None] if kind == "encodec" else codes, **options
        )
    np.testing.assert_allclose(
        decoded.samples.ravel(), out.audio_values.clamp(-1, 1).ravel(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_the_same_in_any_company(models, kind):
    codec = TransformersCodec(models[kind], 2)
    audios = [noise(codec, 0.3), noise(codec, 0.9)]
    for audio, tokens in zip(audios, codec.encode(audios), strict=True):
        np.testing.assert_array_equal(codec.encode([audio])[0], tokens)


def test_other_rates_and_channels_are_converted(models):
    codec = TransformersCodec(models["dac"], 2)
    stereo = noise(codec, 0.5, channels=2)
    mono = Audio(stereo.mono()[None], 800)
    np.testing.assert_array_equal(codec.encode([stereo])[0], codec.encode([mono])[0])
    assert codec.encode([Audio(stereo.samples, 1600)])[0].shape == (2, 25)


def test_a_clip_without_sound_is_an_error(models):
    codec = TransformersCodec(models["mimi"], 2)
    with pytest.raises(AudioError, match=r"the codec's input: expected .*digital silence"):
        codec.encode([Audio(np.zeros((1, 800), dtype=np.float32), 800)])
    with pytest.raises(AudioError, match=r"at least 0\.02 s"):
        codec.encode([noise(codec, 0.01)])


def test_codes_of_another_codec_are_an_error(models):
    with pytest.raises(DataError, match="codes from 0 to 15, got 16 to 16"):
        TransformersCodec(models["mimi"], 2).decode([np.full((2, 3), 16)])


@pytest.mark.parametrize("n", [0, 5])
def test_codebooks_that_the_model_does_not_have_are_an_error(models, n):
    with pytest.raises(ConfigError, match=f"1 to 4 codebooks for this dac, got {n}"):
        TransformersCodec(models["dac"], n)


def test_a_codec_that_keeps_a_loudness_beside_the_codes_is_an_error():
    model = make_model("encodec", normalize=True, chunk_length_s=1.0, overlap=0.01)
    with pytest.raises(ConfigError, match="keeps a loudness for each chunk"):
        TransformersCodec(model, 2)


def test_a_model_that_is_no_codec_is_an_error(models):
    with pytest.raises(
        ConfigError, match="out of encodec, dac, mimi, xcodec, got a model of type 'hubert'"
    ):
        TransformersCodec(models["xcodec"].semantic_model, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_codec_is_loaded_as_what_it_was(models, kind, tmp_path):
    models[kind].save_pretrained(tmp_path)
    codec = TransformersCodec(models[kind], 2)
    loaded = TransformersCodec.from_pretrained(str(tmp_path), 2, local_files_only=True)
    audio = noise(codec, 0.5)
    np.testing.assert_array_equal(loaded.encode([audio])[0], codec.encode([audio])[0])


def test_a_folder_of_another_model_is_an_error(models, tmp_path):
    models["xcodec"].semantic_model.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="got a model of type 'hubert'"):
        TransformersCodec.from_pretrained(str(tmp_path), 2, local_files_only=True)
