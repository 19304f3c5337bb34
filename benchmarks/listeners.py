"""Simulated listeners of a running server, as a process: `python -m benchmarks.listeners JSON`.

Each one takes the way of a browser: begin, take over, then trial, clips, a time of listening, and
the answer. What is not acknowledged is sent again with the same key. Standard output gets one JSON
document: what was acknowledged, and how long every answer took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from auralign.listen.simulate.listening import hear_all

TAB = "benchmark-tab"
AGAIN_S = 0.25
GONE = (429, 503, 507)


@dataclass(slots=True)
class Tally:
    """Of all listeners: milliseconds of each answer, trial -> value, and refusals by status."""

    answer_ms: list[float] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    sent_again: int = 0
    seconds: float = 0.0
    refused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Listener:
    """One connection, and its sitting; `think` gives seconds from a trial to its answer."""

    http: httpx2.AsyncClient
    think: Callable[[], float]
    stop: asyncio.Event
    tally: Tally
    headers: dict[str, str] = field(default_factory=dict)

    async def answer(self, n_answers: int) -> None:
        """Answer so many trials, in as many sittings as that takes, or until `stop`."""
        while n_answers > 0 and not self.stop.is_set():
            await self._begin()
            while n_answers > 0 and not self.stop.is_set():
                if not await self._answer_one():
                    break
                n_answers -= 1

    async def _begin(self) -> None:
        self.http.cookies.clear()
        sent = {"consent_version": "1", "agreed": True}
        started = await self._insist(lambda: self.http.post("/api/sessions", json=sent))
        if started is None:
            return
        self.headers = {"X-CSRF-Token": started["csrf"], "X-Tab": TAB}
        await self._post("/api/session/tab", {"tab": TAB})

    async def _answer_one(self) -> bool:
        """Whether there was a trial, and its answer is stored."""
        trial = await self._insist(lambda: self.http.get("/api/trial", headers=self.headers))
        if trial is None:
            return False
        for clip in trial["clips"]:
            await self._fetch(clip["url"])
        await asyncio.sleep(self.think())
        value = random.choice("AB")
        events, ms = hear_all(trial)
        replies = {"overall": {"value": value}}
        sent = {"key": uuid.uuid4().hex, "replies": replies, "events": events, "ms": ms}
        began = time.perf_counter()
        receipt = await self._post(
            f"/api/trials/{trial['trial']}/answer", sent | {"events": events}
        )
        if receipt is None:
            return False
        self.tally.answer_ms.append(1_000 * (time.perf_counter() - began))
        self.tally.acknowledged[receipt["trial"]] = value
        return True

    async def _fetch(self, url: str) -> None:
        try:
            (await self.http.get(url)).raise_for_status()
        except httpx2.HTTPError:
            return

    async def _post(self, path: str, sent: Any) -> Any:
        return await self._insist(lambda: self.http.post(path, json=sent, headers=self.headers))

    async def _insist(self, send: Callable[[], Awaitable[httpx2.Response]]) -> Any:
        """What the server says in the end; None when it refuses, or nobody wants to know."""
        while True:
            try:
                response = await send()
            except httpx2.TransportError:
                response = None
            if response is not None and response.status_code not in GONE:
                break
            if self.stop.is_set():
                return None
            self.tally.sent_again += 1
            await asyncio.sleep(AGAIN_S)
        if response.status_code < 300:
            return response.json() if response.content else {}
        self.tally.refused.append(response.text[:200])
        return None


async def listen(
    url: str, n_listeners: int, n_answers: int, think_s: tuple[float, float], seed: int
) -> Tally:
    """Let so many listeners answer at once; they stop earlier when standard input ends."""
    tally, stop, rng = Tally(), asyncio.Event(), random.Random(seed)
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        # Not through `sys.stdin`, whose lock a thread would hold when the process ends.
        while os.read(0, 1):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_end, daemon=True).start()

    async def sit() -> None:
        await asyncio.sleep(rng.uniform(0, sum(think_s) / 2))
        async with httpx2.AsyncClient(base_url=url, timeout=30.0, verify=False) as http:
            await Listener(http, lambda: rng.uniform(*think_s), stop, tally).answer(n_answers)

    began = time.perf_counter()
    await asyncio.gather(*(sit() for _ in range(n_listeners)))
    tally.seconds = time.perf_counter() - began
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arguments", type=json.loads, help="of `listen`, as JSON")
    tally = asyncio.run(listen(**parser.parse_args().arguments))
    print(json.dumps({name: getattr(tally, name) for name in Tally.__slots__}), flush=True)


if __name__ == "__main__":
    main()
