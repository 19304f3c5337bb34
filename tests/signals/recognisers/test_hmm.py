from dataclasses import replace

import numpy as np
import pytest

from auralign.data.corpora.espeak_digits import espeak_digit_corpus
from auralign.data.corpora.fsdd import fsdd_digit_corpus
from auralign.errors import DataError
from auralign.signals.recognisers.hmm import HmmRecogniser
from auralign.signals.recognisers.words import word_error_rate
from auralign.types import Audio, Split
from real_data import FSDD


def fit(utterances, **options) -> HmmRecogniser:
    return HmmRecogniser.fit(
        [u.audio for u in utterances],
        [u.spoken for u in utterances],
        rng=np.random.default_rng(0),
        **options,
    )


def espeak(n: int, seed: int, flaw_share: float = 0.0):
    rng = np.random.default_rng(seed)
    return espeak_digit_corpus(n, n_speakers=2, flaw_share=flaw_share, rng=rng)


@pytest.fixture(scope="module")
def recogniser() -> HmmRecogniser:
    return fit(espeak(80, seed=0), n_components=2, n_rounds=6)


@pytest.fixture(scope="module")
def unseen():
    return espeak(40, seed=1)


def error_rate(recogniser, utterances) -> float:
    heard = recogniser.transcribe([u.audio for u in utterances])
    errors, words = word_error_rate([u.spoken for u in utterances], heard)
    return errors / words


def test_it_hears_unseen_strings(recogniser, unseen):
    assert error_rate(recogniser, unseen) < 0.03


def test_it_hears_what_was_said_and_not_what_was_asked(recogniser):
    misspoken = [
        u
        for u in espeak(60, seed=2, flaw_share=1.0)
        if set(u.flaws) <= {"wrong_word", "repeated_word"}
    ]
    assert len(misspoken) > 10
    assert error_rate(recogniser, misspoken) < 0.03


def test_the_order_of_clips_changes_nothing(recogniser, unseen):
    audios = [u.audio for u in unseen]
    assert recogniser.transcribe(audios[::-1])[::-1] == recogniser.transcribe(audios)


def test_the_ratio_is_zero_for_what_is_heard_and_negative_for_anything_else(recogniser, unseen):
    audios = [u.audio for u in unseen]
    heard = recogniser.transcribe(audios)
    np.testing.assert_allclose(recogniser.log_likelihood_ratio(audios, heard), 0, atol=1e-5)
    other = [f"{text} zero" for text in heard]
    assert (recogniser.log_likelihood_ratio(audios, other) < 0).all()


def test_a_wrong_word_fits_worse_than_the_right_text(recogniser):
    wrong = [u for u in espeak(60, seed=3, flaw_share=1.0) if u.flaws == ("wrong_word",)]
    audios = [u.audio for u in wrong]
    asked = recogniser.log_likelihood_ratio(audios, [u.prompt.text for u in wrong])
    spoken = recogniser.log_likelihood_ratio(audios, [u.spoken for u in wrong])
    assert (asked < spoken - 0.5).all()


def test_a_larger_penalty_hears_fewer_words(recogniser, unseen):
    def n_words(penalty: float) -> int:
        model = replace(recogniser, insertion_penalty=penalty)
        return sum(len(t.split()) for t in model.transcribe([u.audio for u in unseen]))

    counts = [n_words(penalty) for penalty in (-2_000.0, 0.0, 5_000.0)]
    assert counts[0] > counts[1] > counts[2]


def test_a_clip_too_short_for_any_path_has_no_words_and_no_likelihood(recogniser):
    blip = Audio(np.full((1, 100), 0.1, dtype=np.float32), 16_000)
    assert recogniser.transcribe([blip]) == [""]
    assert recogniser.log_likelihood_ratio([blip], ["one"])[0] == -np.inf


def test_saved_and_loaded_it_hears_the_same(recogniser, unseen, tmp_path):
    recogniser.save(tmp_path / "ear.npz")
    loaded = HmmRecogniser.load(tmp_path / "ear.npz")
    audios = [u.audio for u in unseen[:10]]
    assert loaded.transcribe(audios) == recogniser.transcribe(audios)
    texts = [u.prompt.text for u in unseen[:10]]
    np.testing.assert_array_equal(
        loaded.log_likelihood_ratio(audios, texts), recogniser.log_likelihood_ratio(audios, texts)
    )


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_loading_anything_else_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "ear.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"ear\.npz: expected a recogniser"):
        HmmRecogniser.load(path)


def test_loading_other_arrays_is_an_error(tmp_path):
    np.savez(tmp_path / "other.npz", words=np.array(["one"]))
    with pytest.raises(DataError, match="expected a recogniser"):
        HmmRecogniser.load(tmp_path / "other.npz")


def test_the_same_generator_fits_the_same_model():
    utterances = espeak(15, seed=4)
    one, other = fit(utterances, n_rounds=3), fit(utterances, n_rounds=3)
    np.testing.assert_array_equal(one.mixtures.means, other.mixtures.means)


def test_a_word_it_was_not_trained_on_is_an_error(recogniser, unseen):
    with pytest.raises(DataError, match="does not know the word 'ten'"):
        recogniser.log_likelihood_ratio([unseen[0].audio], ["one ten"])


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(DataError, match="got 0 clips and 0 texts"):
        fit([])


def test_a_clip_too_short_for_its_text_is_an_error_that_names_it():
    utterances = espeak(10, seed=5)
    short = Audio(utterances[3].audio.samples[:, :1600], 16_000)
    utterances[3] = replace(utterances[3], audio=short)
    with pytest.raises(DataError, match=r"clip 3 has 11 frames of 10 ms, too few for the words"):
        fit(utterances)


@pytest.mark.realdata("fsdd")
@pytest.mark.slow
def test_it_hears_real_speakers_in_unseen_takes():
    train, test = (
        fsdd_digit_corpus(FSDD, n, flaw_share=0, split=split, rng=np.random.default_rng(seed))
        for n, split, seed in [(500, Split.TRAIN, 0), (150, Split.TEST, 1)]
    )
    assert error_rate(fit(train), test) < 0.05
