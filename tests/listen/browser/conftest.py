"""A server of a small test, a headless browser, and a listener who uses it by touch or by key."""

import contextlib
import shutil

import pytest
from sqlalchemy import select

from auralign.listen import serve
from auralign.listen.store.tables import AnswerRow
from auralign.listen.study import open_study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SYSTEMS = ("ref", "x", "y", "z")
SETTINGS = {
    "clips": {"reference": "ref"},
    "design": {"trials": 2},
    "limits": {"requests_per_minute": 100_000, "sessions_per_minute": 10_000, "min_free_mb": 0},
}
PHONE, DESK = 320, 1280
MOST_TABS = 120


@pytest.fixture(scope="module")
def chromium():
    """A browser of the system; skips where there is none or Playwright is not installed.

    Playwright's loop of events runs as long as this lives, so it ends with the module: other tests
    want to run loops of their own.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH, such as Debian's")
    with sync_api.sync_playwright() as playwright:
        # A container's root has no sandbox, and only pages of this machine are opened.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def serve_test(tmp_path, write_test):
    """Serves a test with these settings on a port of its own; gives the study and its address."""
    with contextlib.ExitStack() as stack:

        def start(test, *, systems=SYSTEMS, playback=None, **settings):
            settings = {**SETTINGS, **settings}
            playback = {"expose_level": True, **(playback or {})}
            write_test(tmp_path / "test", test, systems=systems, playback=playback, **settings)
            study = open_study(tmp_path / "test")
            stack.callback(study.close)
            return study, stack.enter_context(serve.serving(study))

        yield start


@pytest.fixture
def open_browser(chromium):
    """Opens a browser of its own, so to speak; no page of it may have an error."""
    errors = []
    with contextlib.ExitStack() as stack:

        def start(width=DESK, **options):
            size = {"width": width, "height": 800}
            context = chromium.new_context(viewport=size, has_touch=width == PHONE, **options)
            stack.callback(context.close)
            context.set_default_timeout(20_000)
            context.on("weberror", lambda error: errors.append(str(error.error)))
            return context

        yield start
    assert errors == []


class Listener:
    """Someone at a page, who taps."""

    def __init__(self, page):
        self.page = page

    def press(self, selector):
        self.page.locator(selector).first.tap()

    def begin(self, url):
        """From the consent page to the first trial."""
        self.page.goto(url)
        self.press("form .primary")
        self.press("a.primary")
        self.start()

    def start(self):
        self.press("#trial .primary")
        self.page.wait_for_selector(".player")

    def hear(self, clip):
        """Play a clip to its end; returns the highest level (RMS) of what sounded."""
        self.press(f"[data-clip='{clip}']")
        return self._heard(clip)

    def hear_all(self):
        clips = self.page.locator("[data-clip]").evaluate_all(
            "buttons => [...new Set(buttons.map(b => Number(b.dataset.clip)))]"
        )
        return {clip: self.hear(clip) for clip in clips}

    def answer(self):
        """Some answer to each question."""
        for question in self.page.locator(".question").all():
            self._answer(question)

    def go_on(self):
        """Send the answer, and wait for what comes after it."""
        self._leave(lambda: self.press(".next .primary"))

    def take_trial(self):
        levels = self.hear_all()
        self.answer()
        self.go_on()
        return levels

    def take_test(self):
        """All trials; returns the levels of all clips that sounded."""
        levels = []
        while self.page.wait_for_selector(".player, #code").get_attribute("id") != "code":
            levels += self.take_trial().values()
        return levels

    def _leave(self, send):
        self.page.evaluate("document.querySelector('.player').id = 'answered'")
        send()
        self.page.locator("#answered").wait_for(state="detached")

    def _heard(self, clip):
        return self.page.evaluate(
            """async clip => {
                let highest = 0;
                const mark = document.querySelector(`[data-clip='${clip}'] .mark`);
                while (mark.textContent !== "heard") {
                    highest = Math.max(highest, auralignLevel());
                    await new Promise(resolve => setTimeout(resolve, 20));
                }
                return highest;
            }""",
            clip,
        )

    def _answer(self, question):
        for slider in question.locator("input.vertical").all():
            slider.tap(position={"x": 20, "y": 60})
        for move in question.locator("li:first-child .move:enabled").all():
            move.tap()
        best_worst = question.locator(".best-worst .row")
        if best_worst.count():
            best_worst.nth(0).locator(".option").nth(0).tap()
            best_worst.nth(1).locator(".option").nth(1).tap()
        for options in question.locator(".options:visible").all():
            options.locator(".option").first.tap()
        for options in question.locator(".strength .options:visible").all():
            options.locator(".option").last.tap()


class KeyboardListener(Listener):
    """Someone with a keyboard and nothing else."""

    def press(self, selector):
        self.tab_to(selector)
        self.page.keyboard.press("Enter")

    def tab_to(self, selector):
        """Go on by Tab until the focus is there."""
        self.page.wait_for_selector(selector)
        for _ in range(MOST_TABS):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached by Tab")

    def hear(self, clip):
        name = self.page.locator(f"[data-clip='{clip}'] .name").first.inner_text()
        self.page.keyboard.press(name[0].lower())
        return self._heard(clip)

    def go_on(self):
        self._leave(lambda: self.page.keyboard.press("Enter"))

    def _answer(self, question):
        name = f"q{id(question)}"
        question.evaluate("(node, name) => { node.dataset.test = name; }", name)
        inside = f"[data-test='{name}']"
        for i in range(question.locator("input.vertical").count()):
            self.tab_to(f"{inside} .column:nth-child({i + 1}) input.vertical")
            self.page.keyboard.press("ArrowUp")
        if question.locator(".ranking").count():
            self.tab_to(f"{inside} li:first-child .move:enabled")
            self.page.keyboard.press("Enter")
            self.page.evaluate("document.activeElement.blur()")
        elif question.locator(".best-worst").count():
            self.tab_to(f"{inside} .row:nth-child(1) .option:nth-of-type(1) input")
            self.page.keyboard.press("Space")
            self.tab_to(f"{inside} .row:nth-child(1) .option:nth-of-type(2) input")
            self.page.keyboard.press("ArrowDown")
        elif question.locator(".options").count():
            self.page.keyboard.press("1")
            if question.locator(".strength:visible").count():
                self.tab_to(f"{inside} .strength input")
                self.page.keyboard.press("Space")


@pytest.fixture
def by_touch(open_browser):
    """A listener with a phone."""
    return Listener(open_browser(PHONE).new_page())


@pytest.fixture
def by_key(open_browser):
    """A listener with a keyboard alone."""
    return KeyboardListener(open_browser(DESK).new_page())


@pytest.fixture
def stored():
    """The replies of each stored answer, and what its listener heard of each clip."""

    def stored(study):
        query = select(AnswerRow.replies, AnswerRow.listening).order_by(AnswerRow.received_at)
        return study.database.read(lambda db: [tuple(row) for row in db.execute(query)])

    return stored


@pytest.fixture
def audit():
    """The findings of axe that would keep somebody from using a page, as texts."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")

    def audit(page):
        found = axe.Axe().run(page).response["violations"]
        return [
            f"{finding['id']}: {node['html'][:200]}"
            for finding in found
            if finding["impact"] in ("serious", "critical")
            for node in finding["nodes"]
        ]

    return audit
