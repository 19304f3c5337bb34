"""A trial says where a page goes on: with what was heard, or after a break."""

import pytest


def test_a_refresh_is_told_what_was_heard_by_position(make_study, connect):
    client = connect(make_study())
    client.begin("1")
    trial = client.trial()
    events = [
        {"n": 0, "ms": 0.0, "type": "play", "clip": 1, "at": 0.1},
        {"n": 1, "ms": 200.0, "type": "pause"},
    ]
    path = f"/api/trials/{trial['trial']}/events"
    client.http.post(path, json={"events": events}, headers={"X-CSRF-Token": client.csrf})
    assert trial["resume"]["heard"] == [[], []]
    ((), ((begin, end),)) = client.trial()["resume"]["heard"]
    assert (begin, end) == pytest.approx((0.1, 0.3))


@pytest.mark.parametrize(
    ("design", "rests"),
    [
        ({"trials": 4, "rest_every": 2}, [False, False, True, False]),
        ({"trials": 4, "rest_every": None}, [False] * 4),
        # Training is not counted.
        ({"trials": 2, "training": 2, "rest_every": 1}, [False, False, False, True]),
    ],
)
def test_a_break_is_offered_after_a_round_number_of_main_trials(
    design, rests, make_study, connect, finish
):
    study = make_study(prompts=("p1", "p2", "p3", "p4"), design=design)
    client = connect(study)
    client.begin("1")
    assert [trial["rest"] for trial in finish(client)] == rests
