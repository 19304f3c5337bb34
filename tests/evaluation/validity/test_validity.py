import numpy as np
import pytest

from auralign.data.importers.aes import import_aes
from auralign.errors import DataError
from auralign.evaluation.validity.answers import study_answers
from auralign.evaluation.validity.validity import validate_signals
from auralign.types import Source
from real_data import AES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fewer_resamples")]


def rng():
    return np.random.default_rng(0)


def validated(study, **attributes):
    """Held to duration, which is known, and to a loudness and SNR that mean nothing."""
    silly = {"loudness": study.noise(11), "SNR": study.noise(12)}
    found = validate_signals(study.path, attributes={**silly, **attributes}, rng=rng())
    return found, {each.signal: each for each in found.signals}


@pytest.mark.parametrize("protocol", ["pair", "rating"])
def test_a_valid_signal_is_trusted_and_noise_is_not(simulate, protocol):
    study = simulate(protocol=protocol)
    found, signals = validated(study, valid=study.noisy(0.2), noise=study.noise())
    assert signals["valid"].trust_in_pairs.word == "trust"
    assert signals["valid"].trust_in_systems.word == "trust"
    assert signals["noise"].trust_in_pairs.word == "distrust"
    assert signals["noise"].trust_in_systems.word != "trust"
    assert [each.signal for each in found.signals] == ["valid", "noise"]
    assert {each.signal for each in found.baselines} == {"duration", "loudness", "SNR"}
    assert found.intervals == "over 8 systems, as if others had been judged"


def test_duration_in_disguise_is_found_out(simulate):
    study = simulate(by="length", n_prompts=80)
    blurred = {
        name: seconds + noise / 2
        for (name, seconds), noise in zip(
            study.durations().items(), study.noise(5).values(), strict=True
        )
    }
    _, signals = validated(study, disguised=blurred)
    disguised = signals["disguised"]
    assert disguised.accuracy.low > 0.5
    assert disguised.trust_in_pairs.word == "distrust"
    assert "adds nothing to duration alone" in disguised.trust_in_pairs.reason


def test_a_baseline_that_says_all_there_is_to_say_is_named(simulate):
    study = simulate(by="length", protocol="rating", n_systems=5, n_prompts=12)
    found, _ = validated(study, noise=study.noise())
    assert any("duration alone agrees with listeners as often" in w for w in found.warnings)


def test_what_the_listeners_hear_beats_duration_where_they_do_not_listen_for_it(simulate):
    study = simulate()
    found, signals = validated(study, valid=study.noisy(0.2))
    gains, duration = signals["valid"].gains, found.baselines[0]
    assert gains["duration"].low > 0.1
    expected = signals["valid"].accuracy.value - duration.accuracy.value
    assert gains["duration"].value == pytest.approx(expected)


def test_without_audio_nobody_knows_whether_it_is_loudness(simulate):
    study = simulate()
    found = validate_signals(study.path, attributes={"valid": study.noisy(0.2)}, rng=rng())
    assert found.missing["loudness"] == "not known without audio"
    assert found.signals[0].trust_in_pairs.word == "cannot tell"
    assert "loudness or SNR alone may do as well" in found.signals[0].trust_in_pairs.reason


def test_few_answers_tell_nothing(simulate):
    study = simulate(n_systems=5, n_prompts=4, n_raters=2)
    _, signals = validated(study, valid=study.noisy(1.5))
    assert signals["valid"].trust_in_pairs.word == "cannot tell"


def test_with_two_systems_the_intervals_hold_for_them_only(simulate):
    study = simulate(n_systems=2)
    found, signals = validated(study, valid=study.noisy(0.2))
    assert found.intervals.startswith("over 40 prompts")
    assert "hold for s00 and s01 only" in found.intervals
    assert signals["valid"].accuracy.n_clusters <= 40
    assert signals["valid"].trust_in_systems.word == "cannot tell"


def test_clear_pairs_are_easier_than_close_ones(simulate):
    study = simulate(protocol="rating")
    _, signals = validated(study, valid=study.noisy(0.3))
    valid = signals["valid"]
    assert valid.clear.value > valid.close.value
    assert valid.clear.n + valid.close.n == valid.accuracy.n


def test_half_of_the_ratings_predict_the_other_half_worse_than_the_truth_does(simulate):
    study = simulate(protocol="rating")
    found, signals = validated(study, truth=study.quality)
    assert 0.6 < found.listeners.value < signals["truth"].accuracy.value


def test_the_judgements_of_signals_are_the_scores(simulate, of, tmp_path):
    study = simulate()
    answers = study_answers(study.path, rng=rng()).judgements
    valid = study.noisy(0.2)
    said = [of.rating(c, valid[c.id], "mine@3", source=Source.METRIC) for c in study.clips[:-8]]
    of.study(tmp_path / "scored", study.clips, [*answers, *said])
    found = validate_signals(tmp_path / "scored", rng=rng())
    assert [each.signal for each in found.signals] == ["mine"]
    assert found.signals[0].n_scored < found.signals[0].n_clips
    assert found.n_answers == len(answers)


def test_a_study_without_scores_says_what_to_run(simulate):
    with pytest.raises(DataError, match="auralign score --study"):
        validate_signals(simulate().path, rng=rng())


def test_an_attribute_of_nothing_in_the_study_is_refused(simulate):
    with pytest.raises(DataError, match="'mos' names no judged clip and no system, but 'x'"):
        validate_signals(simulate().path, attributes={"mos": {"x": 1.0}}, rng=rng())


def test_many_signals_come_with_a_word_about_the_best_of_them(simulate):
    study = simulate(n_systems=5, n_prompts=6)
    many = {f"noise {k}": study.noise(k) for k in range(10)}
    found, _ = validated(study, **many)
    assert any("looks better here than it is" in text for text in found.warnings)


@pytest.mark.realdata("aes")
def test_on_real_ratings_related_axes_are_told_from_noise(tmp_path):
    # No audio and no scores came with the ratings: the means of the other axes stand for signals.
    import_aes(AES, tmp_path / "pam")
    axes = ("content_usefulness", "content_enjoyment", "production_complexity")
    others = {}
    for axis in axes:
        answers = study_answers(tmp_path / "pam", axis, rng=rng())
        others[axis] = dict(zip((c.id for c in answers.clips), answers.ratings, strict=True))
    clips = [clip.id for clip in answers.clips]
    others["noise"] = dict(zip(clips, rng().standard_normal(len(clips)), strict=True))
    found = validate_signals(tmp_path / "pam", "production_quality", attributes=others, rng=rng())
    assert [each.signal for each in found.signals] == [*axes, "noise"]
    signals = {each.signal: each for each in found.signals}
    assert signals["noise"].trust_in_pairs.word == "distrust"
    # Ten ratings a clip: one half of them predicts the other worse than the axis next to it does.
    assert 0.6 < found.listeners.value < signals["content_usefulness"].accuracy.value
    assert signals["content_usefulness"].systems.low > 0.5
    assert signals["production_complexity"].accuracy.value < 0.65
    assert (found.n_systems, found.n_clips, found.n_pairs) == (9, 1000, 2000)
