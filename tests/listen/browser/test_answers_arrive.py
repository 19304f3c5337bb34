"""An answer is stored exactly once, whatever becomes of the network, the page and other tabs."""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANSWER = re.compile("/api/trials/.*/answer$")
REASONS = [
    {
        "id": "overall",
        "question": "Which one do you prefer?",
        "strength": ["Slightly", "Clearly"],
        "tags": ["noise", "voice"],
        "free_text": True,
    }
]
TEXT = 'It & that "<b>" 100 % - naïve 🎧'


def prepare_answer(listener):
    listener.hear_all()
    listener.answer()


def test_a_network_that_is_cut_holds_the_answer_back_and_the_page_with_it(
    serve_test, by_touch, stored
):
    study, url = serve_test({"type": "ab"})
    by_touch.begin(url)
    prepare_answer(by_touch)
    page = by_touch.page
    page.route(ANSWER, lambda route: route.abort())
    by_touch.press(".next .primary")
    page.locator("#notice", has_text="There is no connection").wait_for()
    assert page.locator(".progress").inner_text() == "1 of 2"
    assert stored(study) == []
    page.unroute(ANSWER)
    page.locator(".progress", has_text="2 of 2").wait_for()
    assert page.locator("#notice").is_hidden()
    assert len(stored(study)) == 1


def test_an_answer_whose_receipt_is_lost_is_stored_once(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    by_touch.begin(url)
    prepare_answer(by_touch)
    sent = []

    def lose_the_first_receipt(route):
        sent.append(route.request.post_data_json["key"])
        response = route.fetch()
        if len(sent) == 1:
            route.abort()
        else:
            route.fulfill(response=response)

    by_touch.page.route(ANSWER, lose_the_first_receipt)
    by_touch.go_on()
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert len(stored(study)) == 1


@pytest.mark.parametrize("database", ["IndexedDB", "localStorage"])
def test_an_answer_survives_a_refresh(database, serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    if database == "localStorage":
        by_touch.page.add_init_script("Object.defineProperty(window, 'indexedDB', {value: null})")
    by_touch.begin(url)
    prepare_answer(by_touch)
    page = by_touch.page
    page.route(ANSWER, lambda route: route.abort())
    by_touch.press(".next .primary")
    page.locator("#notice", has_text="There is no connection").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    assert stored(study) == []
    page.unroute(ANSWER)
    by_touch.start()
    assert page.locator(".progress").inner_text() == "2 of 2"
    assert len(stored(study)) == 1


def test_an_answer_is_kept_before_the_network_is_asked_for_anything(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    by_touch.begin(url)
    prepare_answer(by_touch)
    page = by_touch.page
    # A network that says nothing at all: requests go out and no answer comes.
    silent = re.compile("/api/trials/")
    page.route(silent, lambda route: None)
    by_touch.press(".next .primary")
    page.locator(".next .primary", has_text="Saving").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.unroute(silent)
    by_touch.start()
    assert page.locator(".progress").inner_text() == "2 of 2"
    assert len(stored(study)) == 1


def test_a_refresh_keeps_what_was_heard_and_said(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab", "dimensions": REASONS})
    by_touch.begin(url)
    prepare_answer(by_touch)
    page = by_touch.page
    page.locator(".tag", has_text="voice").tap()
    page.locator("textarea").fill(TEXT)
    page.reload()
    by_touch.start()
    marks = page.locator("[data-clip] .mark").all_inner_texts()
    assert marks == ["heard", "heard"]
    by_touch.go_on()
    ((replies, heard),) = stored(study)
    assert replies["overall"] == {"value": "A", "strength": 2, "tags": ["voice"], "text": TEXT}
    assert [clip["plays"] for clip in heard["clips"]] == [1, 1]


def test_a_second_tab_takes_over_and_the_first_one_says_so(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    by_touch.begin(url)
    prepare_answer(by_touch)
    first = by_touch.page
    second = first.context.new_page()
    second.goto(f"{url}/listen")
    second.locator("#trial .primary").tap()
    second.wait_for_selector(".player")
    by_touch.go_on()
    first.locator("h2", has_text="This test is open elsewhere").wait_for()
    assert len(stored(study)) == 1
    by_touch.start()
    assert first.locator(".progress").inner_text() == "2 of 2"
    # The second tab still shows the first trial, which is answered.
    by_touch.page = second
    prepare_answer(by_touch)
    by_touch.go_on()
    second.locator("h2", has_text="This test is open elsewhere").wait_for()
    assert len(stored(study)) == 1


def test_a_clip_that_cannot_be_decoded_brings_another_trial(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    broken = []

    def break_the_first(route):
        broken.append(route.request.url)
        route.fulfill(body=b"no sound") if len(broken) == 1 else route.fallback()

    by_touch.page.route("**/media/**", break_the_first)
    by_touch.begin(url)
    assert by_touch.page.locator(".progress").inner_text() == "1 of 2"
    by_touch.take_test()
    assert len(stored(study)) == 2


def test_an_answer_waits_until_everything_is_heard(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    by_touch.begin(url)
    by_touch.hear(0)
    by_touch.answer()
    by_touch.press(".next .primary")
    assert by_touch.page.locator("#hint").inner_text() == "Still to hear in full: B."
    by_touch.hear(1)
    by_touch.go_on()
    assert len(stored(study)) == 1


def test_the_server_has_the_last_word_on_what_was_heard(serve_test, by_touch, stored):
    study, url = serve_test({"type": "ab"})
    by_touch.begin(url)
    prepare_answer(by_touch)
    without_events = {"n": 0}

    def forget_the_events(route):
        without_events["n"] += 1
        if without_events["n"] == 1:
            route.continue_(post_data={**route.request.post_data_json, "events": []})
        else:
            route.fallback()

    by_touch.page.route("**/events", lambda route: route.abort())
    by_touch.page.route(ANSWER, forget_the_events)
    by_touch.press(".next .primary")
    by_touch.page.locator("#notice", has_text="Not everything was heard").wait_for()
    assert "A, B" in by_touch.page.locator("#hint").inner_text()
    assert stored(study) == []
    by_touch.hear_all()
    by_touch.go_on()
    assert len(stored(study)) == 1
