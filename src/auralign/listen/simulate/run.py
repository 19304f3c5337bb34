"""Many simulated listeners, one after another or at once, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np

from auralign.listen.simulate.client import ListenClient, ServerError
from auralign.listen.simulate.listening import hear_all
from auralign.listen.simulate.personas import PERSONAS, Persona, reply, worth


@dataclass(frozen=True, slots=True)
class Sitting:
    """What one simulated listener did; `outcome` is the server's, left, or its refusal's code."""

    persona: str
    answered: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """How many sittings ended how, and how many answers were acknowledged."""

    listeners: int
    answers: int
    outcomes: Mapping[str, int]
    personas: Mapping[str, int]


def simulate(
    connect: Callable[[], httpx2.Client],
    consent_version: str,
    *,
    listeners: int,
    seed: int,
    at_once: int = 1,
    personas: Sequence[Persona] = PERSONAS,
) -> Simulation:
    """Let listeners with drawn personas go through the test; `connect` opens a client for each."""

    def sit(number: int) -> Sitting:
        rng = np.random.default_rng([seed, number])
        persona = personas[int(rng.integers(len(personas)))]
        with connect() as http:
            return take_test(ListenClient(http), persona, consent_version, rng)

    with ThreadPoolExecutor(at_once) as pool:
        sittings = list(pool.map(sit, range(listeners)))
    return Simulation(
        listeners=listeners,
        answers=sum(sitting.answered for sitting in sittings),
        outcomes=dict(Counter(sitting.outcome for sitting in sittings)),
        personas=dict(Counter(sitting.persona for sitting in sittings)),
    )


def take_test(
    client: ListenClient, persona: Persona, consent_version: str, rng: np.random.Generator
) -> Sitting:
    """One sitting from consent to code, or to where the persona leaves."""
    answered = 0
    try:
        client.begin(consent_version)
        while (trial := client.trial()) is not None:
            if rng.random() < persona.leaves:
                return Sitting(persona.name, answered, "left")
            _answer(client, trial, persona, rng)
            answered += 1
        return Sitting(persona.name, answered, client.complete()["outcome"])
    except ServerError as error:
        return Sitting(persona.name, answered, error.code)


def _answer(
    client: ListenClient, trial: Mapping[str, Any], persona: Persona, rng: np.random.Generator
) -> None:
    judged = [clip for clip in trial["clips"] if clip["part"] == "stimulus"]
    worths = [
        worth(client.clip(clip["url"])) + persona.noise * rng.standard_normal() for clip in judged
    ]
    worths[0] += persona.first_bias
    replies = {question["id"]: reply(question, worths, rng) for question in trial["questions"]}
    events, ms = hear_all(trial, persona.heard)
    client.answer(trial, replies, ms=ms, events=events)
