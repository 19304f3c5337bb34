"""The same in PostgreSQL: one schema, one winner of a race, one consistent export."""

import getpass
import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from auralign.listen.outcome.export import export_study
from auralign.listen.simulate.client import ServerError
from auralign.listen.store.tables import AnswerRow, Base, CellRow
from auralign.listen.study import open_study

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def programs():
    """The folder of initdb and pg_ctl; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("PostgreSQL is not installed: there is no initdb")
    return folders[-1]


@pytest.fixture(scope="module")
def cluster():
    """A server on a socket in a folder of its own; PostgreSQL does not run as root."""
    bin_ = programs()
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    folder = tempfile.mkdtemp(prefix="pg")
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    options = f"-k {folder} -c listen_addresses=''"

    def run(*words):
        owner = user if os.geteuid() == 0 else None
        subprocess.run(words, user=owner, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run(str(bin_ / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "tester")
    start = ("-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "-w")
    run(str(bin_ / "pg_ctl"), *start, "start")

    def restart():
        run(str(bin_ / "pg_ctl"), *start, "-m", "immediate", "restart")

    yield folder, restart
    run(str(bin_ / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def url(cluster):
    folder, _ = cluster
    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(f"host={folder} user=tester dbname=postgres", autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://tester@/{name}?host={folder}"


def n_answers(study):
    count = select(func.count()).select_from(AnswerRow)
    return study.database.read(lambda db: db.execute(count).scalar_one())


def test_a_sitting_goes_to_its_code_and_into_a_study(url, make_study, connect, finish, tmp_path):
    study = make_study(url=url)
    client = connect(study)
    client.begin("1", {"PROLIFIC_PID": "p-17"})
    finish(client)
    assert client.complete()["outcome"] == "finished"
    assert export_study(study, tmp_path / "out", private=True).judgements == 2


def test_the_migrations_make_the_tables_that_the_program_uses(url, make_study):
    with make_study(url=url).database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.fixture
def workers(url, make_study, clock):
    """Opens the same test twice, as two processes would."""
    opened = []

    def workers(**settings):
        study = make_study(url=url, **settings)
        opened.append(open_study(study.folder, url=url, clock=clock))
        return study, opened[-1]

    yield workers
    for study in opened:
        study.close()


def test_of_answers_that_race_on_two_workers_one_wins(workers, connect, listen):
    studies = workers()
    client, elsewhere = (connect(study) for study in studies)
    client.begin("1")
    elsewhere.http.cookies.update(client.http.cookies)
    elsewhere.csrf, elsewhere.tab = client.csrf, client.tab
    trial = client.trial()
    heard, outcomes = listen(trial), []
    barrier = threading.Barrier(6)

    def send(at, value):
        barrier.wait()
        try:
            at.answer(trial, {"overall": {"value": value}}, **heard)
            outcomes.append("stored")
        except ServerError as error:
            outcomes.append(error.code)

    at = (client, elsewhere)
    threads = [threading.Thread(target=send, args=(at[i % 2], "AB"[i % 2])) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_answered"] * 5 + ["stored"]
    assert n_answers(studies[0]) == 1


def test_counts_stay_right_when_many_come_to_two_workers_at_once(workers, connect, finish):
    studies = workers(design={"answers_per_condition": 4, "trials": 2})
    clients = [connect(study) for study in studies * 2]

    def sit(client):
        client.begin("1")
        finish(client)

    threads = [threading.Thread(target=sit, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = studies[0].database.read(lambda db: list(db.execute(select(CellRow)).scalars()))
    assert sum(row.n_answered for row in rows) == n_answers(studies[0]) == 8
    assert sum(row.n_open for row in rows) == 0


def test_a_restart_of_the_database_loses_nothing(url, cluster, make_study, connect, listen):
    study = make_study(url=url)
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    key, heard = "a-key-of-the-page-1", listen(trial)
    client.answer(trial, {"overall": {"value": "A"}}, key=key, **heard)
    cluster[1]()
    client.answer(trial, {"overall": {"value": "A"}}, key=key, **heard)
    after = client.trial()
    client.answer(after, {"overall": {"value": "B"}}, **listen(after))
    assert n_answers(study) == 2
