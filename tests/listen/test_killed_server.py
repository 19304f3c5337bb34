"""`kill -9` at any moment: what was acknowledged is there once, and what was sent again as well."""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import httpx2
import pytest
from sqlalchemy import func, select

from auralign.listen.simulate.client import ListenClient
from auralign.listen.simulate.listening import hear_all
from auralign.listen.store.tables import AnswerRow, CellRow
from auralign.listen.study import open_study

pytestmark = pytest.mark.slow

N_KILLS, N_LISTENERS = 3, 4


@pytest.fixture
def address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "127.0.0.1", listener.getsockname()[1]


def start(study, address):
    command = [sys.executable, "-m", "auralign", "listen", "serve", str(study.folder)]
    server = subprocess.Popen([*command, "--port", str(address[1])], stderr=subprocess.DEVNULL)
    while server.poll() is None:
        try:
            socket.create_connection(address, 1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return server
    pytest.fail("the server ended before it began")


class Listener(threading.Thread):
    """Answers until told to stop, and sends again what nobody acknowledged, as the page does."""

    def __init__(self, address, stop):
        super().__init__()
        self.url, self.stop, self.acknowledged = "http://{}:{}".format(*address), stop, {}

    def run(self):
        with httpx2.Client(base_url=self.url, timeout=10.0) as http:
            client = ListenClient(http)
            self.insist(lambda: client.begin("1"))
            while (trial := self.insist(client.trial)) is not None:
                self.answer(client, trial)

    def answer(self, client, trial):
        key, value = uuid.uuid4().hex, random.choice("AB")
        events, ms = hear_all(trial)
        sent = {"overall": {"value": value}}
        said = self.insist(lambda: client.answer(trial, sent, ms=ms, events=events, key=key))
        if said is not None:
            self.acknowledged[said["trial"]] = value

    def insist(self, call):
        while not self.stop.is_set():
            try:
                return call()
            except httpx2.TransportError:
                time.sleep(0.05)
        return None


def wait_for_answers(listeners, n):
    def count():
        return sum(len(listener.acknowledged) for listener in listeners)

    before = count()
    while count() < before + n:
        time.sleep(0.01)


def test_what_was_acknowledged_survives_kills_and_is_there_once(make_study, address):
    prompts = tuple(f"p{i}" for i in range(20))
    study = make_study(prompts=prompts, design={"trials": 20}, playback={"if_unheard": "flag"})
    study.close()
    stop, rng = threading.Event(), random.Random(0)
    listeners = [Listener(address, stop) for _ in range(N_LISTENERS)]
    for listener in listeners:
        listener.start()
    for _ in range(N_KILLS):
        server = start(study, address)
        wait_for_answers(listeners, 3)
        time.sleep(rng.uniform(0, 0.2))
        server.send_signal(signal.SIGKILL)
        server.wait()
    server = start(study, address)
    wait_for_answers(listeners, 3)
    stop.set()
    for listener in listeners:
        listener.join()
    server.terminate()
    server.wait()
    acknowledged = {k: v for listener in listeners for k, v in listener.acknowledged.items()}
    again = open_study(study.folder)
    rows = again.database.read(lambda db: list(db.execute(select(AnswerRow)).scalars()))
    count = select(func.sum(CellRow.n_answered))
    counted = again.database.read(lambda db: db.execute(count).scalar_one())
    again.close()
    stored = {row.trial_id: row.replies["overall"]["value"] for row in rows}
    assert {trial: stored.get(trial) for trial in acknowledged} == acknowledged
    assert counted == len(rows) == len(stored)
