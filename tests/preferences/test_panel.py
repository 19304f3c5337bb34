import json
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.data.formats import JUDGEMENTS
from auralign.data.tables import read_table, write_table
from auralign.errors import ConfigError
from auralign.preferences.ears import PERCEPTS
from auralign.preferences.panel import ABOUT, TIE_WIDTH, Panel, draw_trials
from auralign.stats.agreement import pairwise_agreement
from auralign.types import DIMENSIONS, Clip, Outcome, Source, TrialProtocol

N_CLIPS = 60


@pytest.fixture(scope="module")
def percepts() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N_CLIPS, len(PERCEPTS)))


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Two clips a prompt, half a second to a second long."""
    return [
        Clip(f"clip{i}", "", 16_000, 1, 8000 + 100 * i, f"p{i // 2}", "sft") for i in range(N_CLIPS)
    ]


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    return np.arange(N_CLIPS).reshape(-1, 2)


def draw(n: int = 8, *, spread: float = 0.5, name: str = "panel", seed: int = 0) -> Panel:
    return Panel.draw(n, name=name, taste_spread=spread, rng=np.random.default_rng(seed))


def answers(panel, clips, percepts, pairs, votes: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    trials = list(draw_trials([tuple(p) for p in pairs], len(panel.listeners), votes, rng))
    return trials, panel.answer_pairs(clips, percepts, trials, study="s", rng=rng)


def test_listeners_say_that_they_are_simulated_and_two_panels_share_none():
    training, evaluation = draw(12, name="panel"), draw(16, name="evaluation")
    assert not set(training.listeners) & set(evaluation.listeners)
    assert all(name.startswith("simulated-") for name in training.listeners)
    assert len(set(evaluation.listeners)) == 16


def test_without_spread_all_have_the_common_taste_and_with_it_its_median():
    alike = draw(3, spread=0.0)
    np.testing.assert_array_equal(alike.tastes, np.tile(alike.tastes[0], (3, 1)))
    spread = draw(4000, spread=0.5).tastes
    assert (spread > 0).all()
    np.testing.assert_allclose(np.median(spread, axis=0) / alike.tastes[0], 1, atol=0.05)
    np.testing.assert_allclose(np.log(spread).std(axis=0), 0.5, atol=0.03)


def test_a_dimension_hears_only_what_it_is_about(percepts):
    panel = draw()
    assert set(ABOUT) == set(DIMENSIONS)
    for dimension, about in ABOUT.items():
        for k, percept in enumerate(PERCEPTS):
            other = percepts.copy()
            other[:, k] += 1
            change = panel.utilities(other, dimension) - panel.utilities(percepts, dimension)
            expected = panel.tastes[:, k] if percept in about else 0 * panel.tastes[:, k]
            np.testing.assert_allclose(change, np.tile(expected[:, None], N_CLIPS), atol=1e-9)


def test_choices_follow_an_ordered_logit_with_a_tie_in_the_middle(percepts, pairs):
    panel = draw().with_noise(dict.fromkeys(DIMENSIONS, 0.7))
    a, b = panel.choice_probabilities(percepts, pairs, "overall")
    utility = percepts @ panel.tastes[3]
    margin = (utility[pairs[:, 0]] - utility[pairs[:, 1]]) / 0.7
    np.testing.assert_allclose(a[3], 1 / (1 + np.exp(-(margin - TIE_WIDTH))))
    np.testing.assert_allclose(b[3], 1 / (1 + np.exp(margin + TIE_WIDTH)))
    assert a.shape == (8, len(pairs))


@given(gap=st.floats(-50, 50), noise=st.floats(0.01, 100))
def test_the_three_answers_have_probabilities_and_swapping_the_clips_swaps_them(gap, noise):
    percepts = np.array([[gap] * len(PERCEPTS), [0.0] * len(PERCEPTS)])
    panel = draw(2).with_noise(dict.fromkeys(DIMENSIONS, noise))
    a, b = panel.choice_probabilities(percepts, np.array([[0, 1]]), "overall")
    assert (a >= 0).all()
    assert (b >= 0).all()
    assert (a + b <= 1 + 1e-12).all()
    swapped = panel.choice_probabilities(percepts, np.array([[1, 0]]), "overall")
    np.testing.assert_allclose(swapped, np.stack([b, a]))


def test_expected_agreement_is_that_of_all_pairs_of_listeners(percepts, pairs):
    panel = draw(5)
    a, b = panel.choice_probabilities(percepts, pairs, "overall")
    agree = decide = 0.0
    for i, j in combinations(range(5), 2):
        agree += (a[i] * a[j] + b[i] * b[j]).sum()
        decide += ((a[i] + b[i]) * (a[j] + b[j])).sum()
    assert panel.expected_agreement(percepts, pairs, "overall") == pytest.approx(agree / decide)


@pytest.mark.parametrize("target", [0.60, 0.75])
def test_the_noise_is_set_for_the_wanted_agreement_and_votes_then_show_it(
    clips, percepts, pairs, target
):
    panel = draw(8).with_agreement(target, percepts, pairs)
    _, judgements = answers(panel, clips, percepts, np.tile(pairs, (4, 1)), votes=8)
    for dimension in DIMENSIONS:
        expected = panel.expected_agreement(percepts, pairs, dimension)
        assert expected == pytest.approx(target, abs=1e-3)
    found = pairwise_agreement(judgements, "overall", rng=np.random.default_rng(0), n_resamples=300)
    assert found.low <= target <= found.high
    assert found.high - found.low < 0.15


def test_an_agreement_out_of_reach_leaves_the_least_noise(percepts, pairs):
    panel = draw(8, spread=3.0).with_agreement(0.9999, percepts, pairs)
    assert panel.noise["overall"] == pytest.approx(0.01)
    assert panel.expected_agreement(percepts, pairs, "overall") < 0.9999


def test_every_answer_is_a_judgement_of_a_simulated_listener(clips, percepts, pairs, tmp_path):
    panel = draw()
    trials, judgements = answers(panel, clips, percepts, pairs, votes=3)
    assert len(judgements) == len(trials) * len(DIMENSIONS)
    assert {j.source for j in judgements} == {Source.SIMULATED}
    assert all("simulated" in j.rater for j in judgements)
    assert len({(j.trial, j.rater, j.dimension) for j in judgements}) == len(judgements)
    for i, (first, second, listener) in enumerate(trials):
        of_trial = judgements[i * len(DIMENSIONS) : (i + 1) * len(DIMENSIONS)]
        assert [j.dimension for j in of_trial] == list(DIMENSIONS)
        for j in of_trial:
            assert [c.clip_id for c in j.candidates] == [clips[first].id, clips[second].id]
            assert (j.rater, j.prompt_id) == (panel.listeners[listener], clips[first].prompt_id)
            assert (j.protocol, j.rating, j.swap().swap()) == (TrialProtocol.PAIR, None, j)
    write_table(JUDGEMENTS, judgements, tmp_path / "judgements.parquet")
    assert read_table(JUDGEMENTS, tmp_path / "judgements.parquet") == judgements


def test_answering_takes_at_least_as_long_as_listening(clips, percepts, pairs):
    _, judgements = answers(draw(), clips, percepts, pairs, votes=1)
    by_id = {clip.id: clip for clip in clips}
    for j in judgements:
        for candidate, heard in zip(j.candidates, j.heard, strict=True):
            duration_s = by_id[candidate.clip_id].duration_s
            assert heard.plays in (1, 2)
            assert heard.seconds == pytest.approx(heard.plays * duration_s, abs=1e-3)
        assert j.time_to_answer_s > sum(h.seconds for h in j.heard)


def test_answers_come_as_often_as_their_probabilities_say(clips, percepts):
    panel = draw(2)
    n = 1500
    trials = [(0, 1, 0)] * n
    rng = np.random.default_rng(2)
    judgements = panel.answer_pairs(clips, percepts, trials, study="s", rng=rng)
    outcomes = Counter(j.outcome for j in judgements if j.dimension == "overall")
    pair = np.array([[0, 1]])
    p_a, p_b = panel.choice_probabilities(percepts, pair, "overall")[:, 0, 0]
    assert outcomes[Outcome.A] / n == pytest.approx(p_a, abs=0.04)
    assert outcomes[Outcome.B] / n == pytest.approx(p_b, abs=0.04)
    assert outcomes.total() == n
    # Both clips of a tie are good or both are bad, by their mean utility.
    mean = panel.utilities(percepts, "overall")[0, :2].mean()
    good, bad = outcomes[Outcome.TIE_GOOD], outcomes[Outcome.TIE_BAD]
    assert (good > 0, bad > 0) == (mean > 0, mean <= 0)


def test_a_clip_that_is_better_in_every_way_wins_in_either_place(clips):
    percepts = np.zeros((N_CLIPS, len(PERCEPTS)))
    percepts[0] = 50
    panel = draw()
    for trial, winner in (((0, 1, 0), Outcome.A), ((1, 0, 0), Outcome.B)):
        rng = np.random.default_rng(0)
        judgements = panel.answer_pairs(clips, percepts, [trial] * 20, study="s", rng=rng)
        assert {j.outcome for j in judgements} == {winner}


def test_every_listener_rates_every_clip_from_1_to_5_and_better_clips_higher(clips, percepts):
    panel = draw(6)
    judgements = panel.rate(
        clips, percepts, dimension="overall", study="s", rng=np.random.default_rng(0)
    )
    assert len(judgements) == 6 * N_CLIPS
    assert len({(j.trial, j.rater) for j in judgements}) == len(judgements)
    assert {j.rating for j in judgements} == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert {(j.scale, j.protocol, j.source) for j in judgements} == {
        ((1.0, 5.0), TrialProtocol.RATING, Source.SIMULATED)
    }
    of_clip = {clip.id: [] for clip in clips}
    for j in judgements:
        of_clip[j.candidates[0].clip_id].append(j.rating)
    mean = [np.mean(of_clip[clip.id]) for clip in clips]
    utility = panel.utilities(percepts, "overall").mean(axis=0)
    assert np.corrcoef(mean, utility)[0, 1] > 0.8


def test_the_first_listeners_are_a_panel_of_their_own():
    panel = draw(6)
    first = panel.first(2)
    assert first.listeners == panel.listeners[:2]
    np.testing.assert_array_equal(first.tastes, panel.tastes[:2])
    assert first.noise == panel.noise


def test_a_panel_survives_json(percepts, pairs):
    panel = draw(4).with_agreement(0.7, percepts, pairs)
    loaded = Panel.from_json(json.loads(json.dumps(panel.to_json())))
    assert (loaded.listeners, loaded.noise) == (panel.listeners, panel.noise)
    np.testing.assert_array_equal(loaded.tastes, panel.tastes)


def test_the_same_generator_gives_the_same_answers(clips, percepts, pairs):
    one, same, other = (
        answers(draw(), clips, percepts, pairs, votes=2, seed=seed)[1] for seed in (1, 1, 2)
    )
    assert one == same != other


def test_a_panel_of_one_is_an_error():
    with pytest.raises(ConfigError, match="at least 2 listeners, not 1"):
        draw(1)


@given(
    n_pairs=st.integers(0, 40),
    n_listeners=st.integers(2, 9),
    votes=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_listeners_share_the_work_and_nobody_votes_twice_on_a_pair(
    n_pairs, n_listeners, votes, seed
):
    votes = min(votes, n_listeners)
    pairs = [(2 * i, 2 * i + 1) for i in range(n_pairs)]
    trials = list(draw_trials(pairs, n_listeners, votes, np.random.default_rng(seed)))
    assert len(trials) == n_pairs * votes
    load = Counter(dict.fromkeys(range(n_listeners), 0))
    load.update(listener for _, _, listener in trials)
    assert max(load.values()) - min(load.values()) <= 1
    on_pair = Counter((min(t[:2]), t[2]) for t in trials)
    assert set(on_pair.values()) <= {1}
    assert Counter(tuple(sorted(t[:2])) for t in trials) == Counter(dict.fromkeys(pairs, votes))


def test_each_side_is_first_in_about_half_of_the_trials():
    pairs = [(2 * i, 2 * i + 1) for i in range(500)]
    trials = list(draw_trials(pairs, 8, 2, np.random.default_rng(0)))
    first = sum(a < b for a, b, _ in trials)
    assert first / len(trials) == pytest.approx(0.5, abs=0.05)


def test_no_two_listeners_are_tied_to_the_same_pairs():
    trials = draw_trials([(2 * i, 2 * i + 1) for i in range(300)], 6, 2, np.random.default_rng(0))
    together: dict[int, set[int]] = {}
    for first, second, listener in trials:
        together.setdefault(min(first, second), set()).add(listener)
    partners = Counter(p for pair in together.values() for p in permutations(sorted(pair), 2))
    # 300 pairs over 15 couples of listeners: 20 each.
    assert len(partners) == 6 * 5
    assert min(partners.values()) > 8


def test_more_votes_on_a_pair_than_there_are_listeners_are_an_error():
    with pytest.raises(ConfigError, match="3 votes on each pair need as many listeners, not 2"):
        list(draw_trials([(0, 1)], 2, 3, np.random.default_rng(0)))
