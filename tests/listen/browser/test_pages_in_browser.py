"""The pages around the trials: parts, breaks, refusals, both colour schemes, reach of everybody."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_somebody_out(scheme, serve_test, open_browser, audit):
    _, url = serve_test({"type": "mushra"}, contact="studies@example.org", design={"trials": 1})
    page = open_browser(color_scheme=scheme, reduced_motion="reduce").new_page()
    findings = []
    for path, button in (("/", "form .primary"), (None, "a.primary"), (None, "#trial .primary")):
        if path:
            page.goto(url + path)
        page.wait_for_selector(button)
        findings += audit(page)
        page.click(button)
    page.wait_for_selector(".player")
    page.click(".legend summary")
    findings += audit(page)
    for path in ("/nowhere", "/resume/nobody"):
        page.goto(url + path)
        findings += audit(page)
    assert findings == []


def test_training_and_main_part_are_told_apart_and_breaks_are_offered(serve_test, by_touch, stored):
    study, url = serve_test(
        {"type": "ab"}, design={"trials": 2, "training": 1, "rest_every": 1}, prompts=("p1", "p2")
    )
    by_touch.begin(url)
    heading = by_touch.page.locator("h2")
    assert heading.inner_text() == "Practice"
    by_touch.take_trial()
    assert heading.inner_text() == "Well done"
    by_touch.start()
    by_touch.take_trial()
    assert heading.inner_text() == "Time for a break"
    by_touch.start()
    by_touch.take_trial()
    by_touch.page.wait_for_selector("#code")
    assert len(stored(study)) == 3


def test_who_fails_the_headphone_check_is_told_so_politely(serve_test, by_touch):
    check = {"kind": "antiphase", "trials": 3, "needed": 3, "attempts": 1}
    _, url = serve_test({"type": "ab"}, checks={"headphones": check})
    by_touch.begin(url)
    assert by_touch.page.locator("h2").inner_text() == "Headphone check"
    while by_touch.page.wait_for_selector(".player, #code").get_attribute("id") != "code":
        by_touch.page.locator(".option").first.tap()
        by_touch.go_on()
    assert "This test needs headphones" in by_touch.page.locator("main").inner_text()


def test_a_refusal_is_a_page_with_a_sentence(serve_test, by_touch):
    _, url = serve_test({"type": "ab"})
    by_touch.page.goto(f"{url}/resume/nobody")
    assert "open your link again" in by_touch.page.locator("main").inner_text()
    by_touch.page.goto(f"{url}/nowhere")
    assert by_touch.page.locator("h2").inner_text() == "There is nothing here"


def test_single_keys_can_be_switched_off(serve_test, by_key):
    _, url = serve_test({"type": "ab"})
    by_key.begin(url)
    page = by_key.page
    page.click(".legend summary")
    page.click(".legend input")
    page.click(".transport .toggle")
    page.locator(".question legend").click()
    page.keyboard.press("2")
    assert page.locator(".option input:checked").count() == 0
    page.click(".legend input")
    page.locator(".question legend").click()
    page.keyboard.press("2")
    assert page.locator(".option input").nth(1).is_checked()


def test_targets_are_large_enough_for_a_finger(serve_test, by_touch):
    _, url = serve_test({"type": "mushra"})
    by_touch.begin(url)
    sizes = by_touch.page.locator("button:visible, summary:visible, input.vertical").evaluate_all(
        "nodes => nodes.map(n => n.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert min(min(size) for size in sizes) >= 44


def test_nothing_tells_a_page_of_the_sound_unless_a_test_asks_for_it(serve_test, by_touch):
    _, url = serve_test({"type": "ab"}, playback={"expose_level": False})
    by_touch.begin(url)
    assert by_touch.page.evaluate("typeof window.auralignLevel") == "undefined"
