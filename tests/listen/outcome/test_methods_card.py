"""The methods card says how a test was done, and nothing of who wins."""

import pytest

from auralign.listen.outcome.card import methods_card, to_html, to_markdown
from auralign.listen.outcome.results import peek

pytestmark = pytest.mark.slow

HEADINGS = [
    "Test",
    "Panel",
    "Recruitment",
    "Screening",
    "Instructions",
    "Clips and loudness",
    "Playback and devices",
    "Order",
    "Statistics",
]


@pytest.fixture
def study(make_study, connect, finish):
    study = make_study(
        design={"trials": 2, "answers_per_condition": 3},
        instructions="Listen | choose <b>one</b>\nthen go on",
        recruitment={"platform": "prolific"},
    )
    for _ in range(2):
        client = connect(study)
        client.begin("1")
        finish(client)
    connect(study).begin("1")
    return study


def said(study):
    return {s.title: dict(s.rows) for s in methods_card(study).sections}


def test_panel_and_design_are_counted(study):
    card = said(study)
    assert list(card) == HEADINGS
    assert card["Panel"] | {"began": "3", "finished": "2", "running": "1"} == card["Panel"]
    assert card["Panel"]["answers"] == "4"
    assert card["Recruitment"]["platform"] == "prolific"
    assert card["Statistics"]["answers for each"] == "2 to 2, wanted 3"
    assert study.settings.hash in card["Test"]["hash of the settings"]


def test_clips_are_as_loud_as_the_card_says(study):
    clips = said(study)["Clips and loudness"]
    assert clips["systems"] == "2: base, tuned"
    assert clips["length"] == "0.50 to 0.50 s"
    assert clips["loudness as played"] == "-30.00 to -30.00 LUFS"


def test_looks_at_interim_results_are_told(study):
    assert said(study)["Statistics"]["looks at interim results"] == "none"
    peek(study, "overall")
    assert said(study)["Statistics"]["looks at interim results"] == "1"


def test_text_of_the_organiser_is_shown_as_text(study):
    card = methods_card(study)
    assert "Listen | choose &lt;b&gt;one&lt;/b&gt;\nthen go on" in to_html(card)
    assert "Listen \\| choose &lt;b>one&lt;/b><br>then go on" in to_markdown(card)
    assert "<script" not in to_html(card)
