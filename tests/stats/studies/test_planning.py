import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.planning.study_size import acr_study, round_robin_study, win_rate_study
from auralign.stats.studies import plan_study, power_from_pilot


def test_each_thing_to_detect_has_its_design():
    common = {"icc": 0.1, "rejected": 0.2, "alpha": 0.01, "power": 0.9}
    votes = {"judgements_per_listener": 12, "tie_rate": 0.1}
    given = {"listeners_judge": 12, **common}
    assert plan_study(effect=0.6, tie_rate=0.1, **given) == win_rate_study(0.6, **votes, **common)
    assert plan_study(gap=0.5, systems=4, tie_rate=0.1, **given) == round_robin_study(
        4, 0.5, **votes, **common
    )
    assert plan_study(difference=0.3, sd=1.0, systems=3, **given) == acr_study(
        0.3, 1.0, clips_per_system=4, n_tests=3, **common
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "expected one thing to detect.*got none"),
        ({"effect": 0.6, "gap": 1.0}, "got effect and gap"),
        ({"effect": 0.6, "systems": 3}, "an effect is about two systems"),
        ({"gap": 0.6, "sd": 1.0}, "sd belongs to a difference of ratings"),
        ({"difference": 0.6, "sd": 1.0, "tie_rate": 0.1}, "ratings have no ties"),
        ({"difference": 0.6}, "needs sd"),
        ({"difference": 0.6, "sd": 1.0, "systems": 3}, "10 ratings cannot be shared by 3 systems"),
    ],
)
def test_anything_else_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        plan_study(listeners_judge=10, **given)


def test_more_listeners_than_the_pilot_have_more_power(write_study, make):
    path = write_study(make.random_votes(10, 30))
    curve = power_from_pilot(
        path,
        "overall",
        ("a", "d"),
        listeners=(3, 30),
        judgements_per_listener=10,
        n_simulations=40,
        rng=np.random.default_rng(0),
    )
    assert curve.power[0] < curve.power[1]
    with pytest.raises(DataError, match=r"two systems of the pilot \(a, b, c, d\), got a and e"):
        power_from_pilot(
            path,
            "overall",
            ("a", "e"),
            listeners=(3,),
            judgements_per_listener=10,
            rng=np.random.default_rng(0),
        )
