"""CLAP, x-vectors and encoders: tiny models with random weights, saved and loaded from a folder."""

import shutil

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from auralign.errors import ConfigError
from auralign.signals.models.hub_models import load_clap, load_encoder, load_speaker_similarity
from auralign.signals.signal import Item, Missing
from auralign.types import Audio

pytestmark = pytest.mark.slow

transformers.logging.disable_progress_bar()


def noise(seconds: float, rate: int, seed: int = 0) -> Audio:
    samples = np.random.default_rng(seed).standard_normal((1, round(seconds * rate)))
    return Audio((0.1 * samples).astype(np.float32), rate)


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def save_clap(folder, *, fused: bool) -> None:
    audio = transformers.ClapAudioConfig(
        window_size=4, num_mel_bins=64, spec_size=256, patch_size=4, patch_stride=[4, 4],
        hidden_size=32, patch_embeds_hidden_size=4, depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1], enable_fusion=fused, enable_patch_fusion=fused,
        fusion_type="aff_2d" if fused else None, projection_dim=8, num_classes=3,
    )  # fmt: skip
    text = transformers.ClapTextConfig(
        vocab_size=6, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=16, projection_dim=8, pad_token_id=1,
    )  # fmt: skip
    config = transformers.ClapConfig(
        audio_config=audio.to_dict(), text_config=text.to_dict(), projection_dim=8
    )
    seeded(lambda: transformers.ClapModel(config)).save_pretrained(folder)
    truncation = "fusion" if fused else "rand_trunc"
    transformers.ClapFeatureExtractor(truncation=truncation).save_pretrained(folder)
    words = ["<s>", "<pad>", "<unk>", "a", "dog", "drum"]
    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", model_max_length=14
    ).save_pretrained(folder)


@pytest.fixture(scope="module", params=[False, True], ids=["unfused", "fused"])
def clap(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clap")
    save_clap(folder, fused=request.param)
    return folder


WAVLM = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
    "conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    "tdnn_dim": [8, 8], "tdnn_kernel": [3, 1], "tdnn_dilation": [1, 1], "xvector_output_dim": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def speaker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speaker")
    config = transformers.WavLMConfig(**WAVLM)
    seeded(lambda: transformers.WavLMForXVector(config)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def test_a_short_clip_has_the_cosine_of_the_model_itself(clap):
    audio = noise(3, 48_000)
    (values,) = load_clap(model=str(clap))([Item("clip", audio, text="a dog")])
    model = transformers.ClapModel.from_pretrained(clap).eval()
    extract = transformers.ClapFeatureExtractor.from_pretrained(clap)
    tokens = transformers.AutoTokenizer.from_pretrained(clap)("a dog", return_tensors="pt")
    inputs = extract(audio.samples[0], sampling_rate=48_000, return_tensors="pt")
    inputs["is_longer"] = torch.tensor([[False]])
    with torch.inference_mode():
        out = model(**tokens, **inputs)
    assert values["clap_score"] == pytest.approx(float(out.audio_embeds @ out.text_embeds.T))


def test_a_long_clip_is_the_mean_of_its_windows_by_their_length_and_not_a_random_crop(clap):
    score = load_clap(model=str(clap))
    audio = noise(12, 48_000)
    parts = [Audio(audio.samples[:, i : i + 480_000], 48_000) for i in (0, 480_000)]
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - what a random crop would change
    whole, again, first, rest = (
        values["clap_score"]
        for values in score([Item("c", a, text="drum") for a in (audio, audio, *parts)])
    )
    assert whole == again == pytest.approx((10 * first + 2 * rest) / 12)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_a_clip_without_words_to_compare_with_says_so(clap):
    (values,) = load_clap(model=str(clap))([Item("clip", noise(1, 48_000), text=" ")])
    assert values["clap_score"] == Missing("the text has no words")


def test_a_clip_is_spoken_by_its_own_speaker_and_the_order_of_the_two_does_not_matter(speaker):
    similarity = load_speaker_similarity(model=str(speaker))
    a, b = noise(1, 16_000), noise(1.5, 16_000, seed=1)
    values = similarity([Item("aa", a, a), Item("ab", a, b), Item("ba", b, a), Item("a", a)])
    same, there, back, alone = (v["speaker_similarity"] for v in values)
    assert same == pytest.approx(1)
    assert there == pytest.approx(back)
    assert -1 <= there < 1
    assert alone == Missing("there is no reference recording")


def test_a_score_does_not_depend_on_the_clips_beside_it(speaker):
    similarity = load_speaker_similarity(model=str(speaker))
    items = [Item("c", noise(s, 16_000, seed=1), noise(1, 16_000)) for s in (0.5, 2.0)]
    assert similarity(items) == [similarity([item])[0] for item in items]


def test_a_model_without_the_head_is_refused_rather_than_given_a_random_one(tmp_path, speaker):
    config = transformers.WavLMConfig(**WAVLM)
    seeded(lambda: transformers.WavLMModel(config)).save_pretrained(tmp_path)
    shutil.copy(speaker / "preprocessor_config.json", tmp_path)
    with pytest.raises(ConfigError, match=r"lacks .* weights of WavLMForXVector"):
        load_speaker_similarity(model=str(tmp_path))


def test_files_that_are_not_there_are_not_looked_for_elsewhere(tmp_path):
    with pytest.raises(ConfigError, match=r"expected files that WavLMForXVector loads at .*only"):
        load_speaker_similarity(model=str(tmp_path / "nothing"))


def test_a_model_for_another_rate_is_refused(tmp_path, speaker):
    shutil.copytree(speaker, tmp_path, dirs_exist_ok=True)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=8_000).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"expected a model for 16000 Hz, .* takes 8000 Hz"):
        load_speaker_similarity(model=str(tmp_path))


def test_an_embedding_is_the_mean_over_time_and_windows(speaker):
    embed = load_encoder(model=str(speaker))
    long, short = noise(11, 16_000), noise(1, 16_000)
    windows = [Audio(long.samples[:, i:j], 16_000) for i, j in ((0, 160_000), (160_000, None))]
    whole, one = embed([long, short])
    first, rest = embed(windows)
    assert whole == pytest.approx((10 * first + rest) / 11)
    model = transformers.AutoModel.from_pretrained(speaker).eval()
    x = short.samples[0]
    normal = torch.tensor((x - x.mean()) / np.sqrt(x.var() + 1e-7))[None]
    with torch.inference_mode():
        frames = model(normal).last_hidden_state[0]
    assert one == pytest.approx(frames.mean(dim=0).numpy(), abs=1e-4)
