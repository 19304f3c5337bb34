"""Small listening tests with clips of half a second, and listeners who use them over HTTP."""

import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from auralign.audio import as_audio, write_wav
from auralign.listen.simulate.client import ListenClient
from auralign.listen.simulate.listening import hear_all
from auralign.listen.study import open_study
from auralign.listen.web.app import create_app

RATE = 16_000
CLIPS = {"sample_rate": RATE, "target_lufs": -30.0}
DURATION_S = 0.5


class Clock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


def write_clips(folder, systems=("base", "tuned"), prompts=("p1", "p2")):
    """Different noises, so that no two clips have the same samples."""
    rng = np.random.default_rng(0)
    for system in systems:
        for prompt in prompts:
            samples = rng.uniform(-0.3, 0.3, round(DURATION_S * RATE))
            write_wav(as_audio(samples, RATE), folder / system / f"{prompt}.wav")


def write_settings(folder, **settings):
    base = {"name": "A small test", "clips": CLIPS, "limits": {"min_free_mb": 0}}
    merged = {**base, **settings}
    merged["clips"] = {**CLIPS, **settings.get("clips", {})}
    (folder / "test.yaml").write_text(yaml.safe_dump(merged))


@pytest.fixture
def write_test():
    """Writes a folder with a test of small clips, as an organiser would."""

    def write(folder, test, *, systems=("base", "tuned"), prompts=("p1", "p2"), **settings):
        write_clips(folder / "clips", systems, prompts)
        write_settings(folder, test=test, **settings)

    return write


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_study(tmp_path, clock):
    """Opens a test with these settings; closes what it opened."""
    opened = []

    def make(test=None, *, systems=("base", "tuned"), prompts=("p1", "p2"), url=None, **settings):
        folder = tmp_path / f"test{len(opened)}"
        write_clips(folder / "clips", systems, prompts)
        write_settings(folder, test=test or {"type": "ab"}, **settings)
        opened.append(open_study(folder, url=url, clock=clock))
        return opened[-1]

    yield make
    for study in opened:
        study.close()


@pytest.fixture
def connect():
    """Opens a browser, so to speak: a client of its own on a server of the study."""
    opened, apps = [], {}

    def connect(study):
        if id(study) not in apps:
            apps[id(study)] = create_app(study)
        opened.append(TestClient(apps[id(study)]))
        return ListenClient(opened[-1])

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def listen(clock):
    """Lets time pass while every clip of a trial is heard; gives the answer's events and time."""

    def listen(trial, share=1.0):
        events, ms = hear_all(trial, share)
        clock.now += ms / 1_000
        return {"events": events, "ms": ms}

    return listen


def good_reply(question, n_stimuli):
    """Some reply that fits the question."""
    widget = question["widget"]
    if widget == "ranking":
        value = list(range(n_stimuli))
    elif widget == "best_worst":
        value = {"best": 0, "worst": 1}
    else:
        one = question["options"][0]["value"] if widget == "choice" else 50.0
        value = [one] * n_stimuli if question["each_stimulus"] else one
    strength = 1 if question["strength"] and value in question["strength_for"] else None
    return {"value": value, "strength": strength}


def replies_to(trial):
    n = sum(clip["part"] == "stimulus" for clip in trial["clips"])
    return {question["id"]: good_reply(question, n) for question in trial["questions"]}


@pytest.fixture
def fitting_replies():
    return replies_to


@pytest.fixture
def finish(listen):
    """Takes a listener from where she is to the end; returns her trials."""

    def finish(client):
        trials = []
        while (trial := client.trial()) is not None:
            trials.append(trial)
            client.answer(trial, replies_to(trial), **listen(trial))
        return trials

    return finish
