import dataclasses

import numpy as np
import pytest
import torch

from auralign.audio.features import MelSettings
from auralign.errors import AudioError
from auralign.policies.codec import (
    KMeansCodec,
    _kmeans,
    fit_kmeans_codec,
    reconstruction_error,
    stacked_log_mel,
)
from auralign.types import Audio, Codec

STACK = 4
FRAME = 4 * 128
"""Samples of one token frame."""


def tones(seconds: float, seed: int, rate: int = 16_000) -> Audio:
    """Three partials that glide: the spectrum changes all the time."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    partials = [
        np.sin(2 * np.pi * (start * t + sweep * t**2))
        for start, sweep in zip(rng.uniform(150, 3000, 3), rng.uniform(-300, 600, 3), strict=True)
    ]
    return Audio((0.2 * np.sum(partials, axis=0)).astype(np.float32)[None], rate)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def audios() -> list[Audio]:
    return [tones(0.6 + 0.1 * i, seed=i) for i in range(8)]


def fit(audios: list[Audio], n_codebooks: int = 3, **options) -> KMeansCodec:
    return fit_kmeans_codec(
        audios,
        n_codebooks=n_codebooks,
        codebook_size=16,
        stack=STACK,
        n_iterations=5,
        generator=seeded(),
        **options,
    )


@pytest.fixture(scope="module")
def codec(audios) -> KMeansCodec:
    return fit(audios)


def test_it_is_a_codec_of_31_frames_a_second(codec):
    assert isinstance(codec, Codec)
    assert (codec.n_codebooks, codec.codebook_size, codec.sample_rate) == (3, 16, 16_000)
    assert codec.frame_rate == 16_000 / FRAME == 31.25


def test_tokens_are_codebook_by_time_one_frame_for_each_512_samples(codec, audios):
    for audio, tokens in zip(audios, codec.encode(audios), strict=True):
        assert tokens.shape == (3, audio.n_samples // FRAME)
        assert tokens.dtype == np.int64
        assert tokens.min() >= 0
        assert tokens.max() < 16


@pytest.mark.parametrize("n_samples", [FRAME, FRAME + 1, 2 * FRAME - 1, 2 * FRAME])
def test_an_incomplete_last_frame_is_dropped(codec, n_samples):
    audio = Audio(tones(0.5, 0).samples[:, :n_samples], 16_000)
    assert codec.encode([audio])[0].shape == (3, n_samples // FRAME)


def test_other_rates_and_channels_give_nearly_the_same_tokens(codec):
    wide = tones(1.0, seed=1, rate=96_000)
    stereo = Audio(np.repeat(wide.samples, 2, axis=0), 96_000)
    direct, converted = codec.encode([tones(1.0, seed=1), stereo])
    assert converted.shape == direct.shape
    assert (converted[0] == direct[0]).mean() > 0.9


def test_first_codes_are_the_nearest_centres_and_later_ones_of_what_is_left(codec, audios):
    tokens = codec.encode(audios)[2]
    residual = stacked_log_mel(audios[2], codec.mel, STACK).astype(np.float64)
    for book, row in zip(codec.centres, tokens, strict=True):
        distance = ((residual[:, None] - book) ** 2).sum(-1)
        np.testing.assert_array_equal(row, distance.argmin(1))
        residual -= book[row]


def test_encoding_in_company_changes_nothing(codec, audios):
    for audio, tokens in zip(audios, codec.encode(audios), strict=True):
        np.testing.assert_array_equal(codec.encode([audio])[0], tokens)


def test_each_codebook_leaves_a_smaller_error(codec, audios):
    errors = [
        reconstruction_error(dataclasses.replace(codec, centres=codec.centres[:n]), audios).mean()
        for n in (1, 2, 3)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_reconstruction_error_is_zero_for_what_the_centres_are():
    audio = tones(0.4, seed=3)
    vectors = stacked_log_mel(audio, MelSettings(), STACK)
    exact = KMeansCodec(centres=vectors[None], stack=STACK)
    np.testing.assert_allclose(reconstruction_error(exact, [audio]), 0, atol=1e-6)


def test_decoded_clips_have_the_length_of_their_frames_and_stay_in_range(codec, audios):
    tokens = codec.encode(audios)
    for clip, audio in zip(tokens, codec.decode(tokens), strict=True):
        assert audio.sample_rate == 16_000
        assert audio.samples.shape == (1, clip.shape[1] * FRAME)
        assert audio.samples.dtype == np.float32
        assert np.abs(audio.samples).max() <= 1


def test_a_clip_decodes_to_the_same_bits_in_any_company(codec):
    rng = np.random.default_rng(0)
    clips = [rng.integers(16, size=(3, n)) for n in (6, 4, 6, 9, 4, 6)] * 4
    together = codec.decode(clips)
    for clip, audio in zip(clips[:6], together[:6], strict=True):
        np.testing.assert_array_equal(codec.decode([clip])[0].samples, audio.samples)
    backwards = codec.decode(clips[::-1])[::-1]
    for one, other in zip(together, backwards, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_decoding_and_encoding_again_finds_most_of_the_mel_spectrum(codec, audios):
    tokens = codec.encode(audios)
    wanted = [stacked_log_mel(a, codec.mel, STACK) for a in audios]
    heard = [stacked_log_mel(a, codec.mel, STACK) for a in codec.decode(tokens)]
    errors = [np.sqrt(np.mean((w - h) ** 2)) for w, h in zip(wanted, heard, strict=True)]
    assert np.mean(errors) < 0.5 * np.concatenate(wanted).std()


def test_no_clips_decode_to_no_audio(codec):
    assert codec.decode([]) == []


def broken(samples: np.ndarray) -> Audio:
    return Audio(samples.astype(np.float32), 16_000)


@pytest.mark.parametrize(
    ("audio", "complaint"),
    [
        (broken(np.zeros((1, 0))), "got a clip without samples"),
        (broken(np.full((1, FRAME - 1), 0.1)), r"at least 0\.032 s of audio, got 0\.0319375 s"),
        (broken(np.zeros((1, 16_000))), "got digital silence"),
        (broken(np.full((1, 16_000), np.nan)), "got NaN or infinity in 16000 of 16000"),
    ],
    ids=["empty", "short", "silent", "not finite"],
)
def test_a_clip_that_cannot_be_encoded_is_an_error(codec, audios, audio, complaint):
    with pytest.raises(AudioError, match=rf"the codec's input: expected .*{complaint}"):
        codec.encode([audios[0], audio])


@pytest.mark.parametrize("seed", range(5))
def test_k_means_finds_the_means_of_two_clusters_wherever_it_starts(seed):
    near = torch.tensor([[-0.1, 0.0], [0.1, 0.0], [0.0, 0.3]])
    far = near + 10
    centres = _kmeans(torch.cat([near, far]), 2, 10, seeded(seed))
    expected = torch.stack([near.mean(0), far.mean(0)])
    torch.testing.assert_close(centres[centres[:, 0].argsort()], expected)


def test_more_codes_than_vectors_still_give_a_whole_codebook():
    codec = fit([tones(3 * FRAME / 16_000, seed=0)], n_codebooks=2)
    assert codec.centres.shape == (2, 16, STACK * 64)
    assert np.isfinite(codec.centres).all()


def test_the_same_generator_fits_the_same_codec(codec, audios):
    np.testing.assert_array_equal(fit(audios).centres, codec.centres)


def test_saved_and_loaded_a_codec_is_what_it_was(audios, tmp_path):
    codec = fit(audios[:3], mel=MelSettings(n_mels=40, f_max=6_000, floor=1e-3))
    codec.save(tmp_path / "codec.npz")
    loaded = KMeansCodec.load(tmp_path / "codec.npz")
    assert (loaded.mel, loaded.stack) == (codec.mel, STACK)
    tokens = codec.encode(audios[:1])
    np.testing.assert_array_equal(loaded.encode(audios[:1])[0], tokens[0])
    np.testing.assert_array_equal(loaded.decode(tokens)[0].samples, codec.decode(tokens)[0].samples)
