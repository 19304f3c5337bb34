"""A test's folder and its database fit each other, or are refused with a reason."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from auralign.errors import ConfigError, DataError
from auralign.listen.simulate.client import ServerError
from auralign.listen.store import upgrade
from auralign.listen.store.database import Database
from auralign.listen.store.tables import Base, CellRow, ConditionRow
from auralign.listen.study import open_study


def edit(study, old, new):
    path = study.folder / "test.yaml"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


def test_settings_may_change_until_the_first_listener_comes(make_study, connect):
    study = make_study(design={"trials": 2})
    study.close()
    edit(study, "type: ab", "type: acr")
    again = open_study(study.folder)
    kinds = again.database.read(
        lambda db: [len(row.clips) for row in db.execute(select(ConditionRow)).scalars()]
    )
    assert kinds == [1] * 4
    connect(again).begin("1")
    again.close()
    edit(study, "type: acr", "type: thumbs")
    with pytest.raises(ConfigError, match="changed after 1 listeners began: restore it"):
        open_study(study.folder)


def test_nobody_begins_a_test_that_was_changed_while_it_is_served(make_study, connect):
    served = make_study()
    edit(served, "type: ab", "type: acr")
    open_study(served.folder).close()
    with pytest.raises(ServerError, match="changed while it is served: serve it again"):
        connect(served).begin("1")


def test_limits_of_the_server_may_change_at_any_time(make_study, connect):
    study = make_study()
    connect(study).begin("1")
    study.close()
    edit(study, "min_free_mb: 0", "min_free_mb: 1")
    open_study(study.folder).close()


def test_people_and_programs_have_databases_of_their_own(make_study, connect):
    study = make_study()
    connect(study).begin("1")
    url = f"sqlite:///{study.folder / 'listen.sqlite'}"
    with pytest.raises(ConfigError, match="this database has answers of people"):
        open_study(study.folder, url=url, simulated=True)
    open_study(study.folder, simulated=True).close()


def test_a_database_of_a_newer_auralign_is_refused(make_study):
    study = make_study()
    study.close()
    with sqlite3.connect(study.folder / "listen.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataError, match="'9999', which is newer than this auralign knows"):
        open_study(study.folder)


def test_the_migrations_make_the_tables_that_the_program_uses(make_study):
    study = make_study()
    with study.database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_an_interrupted_migration_leaves_an_empty_database(tmp_path, monkeypatch):
    database = Database.open(f"sqlite:///{tmp_path / 'x.sqlite'}")
    original = upgrade.command.upgrade

    def fail(config, revision):
        original(config, revision)
        raise RuntimeError("the power went")

    monkeypatch.setattr(upgrade.command, "upgrade", fail)
    with pytest.raises(RuntimeError, match="the power went"):
        upgrade.upgrade_schema(database)
    with database.engine.connect() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        assert tables.all() == []
    monkeypatch.undo()
    upgrade.upgrade_schema(database)
    database.engine.dispose()


def test_commits_reach_the_disk_before_they_return(make_study):
    with make_study().database.engine.connect() as connection:
        full = 2
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == full
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_every_order_of_every_condition_has_a_cell(make_study):
    study = make_study({"type": "multi_stimulus"}, systems=("x", "y", "z"), prompts=("p1",))
    n_orders_of_three = 6
    cells = study.database.read(lambda db: list(db.execute(select(CellRow)).scalars()))
    assert len(cells) == n_orders_of_three


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"test": {"type": "abb"}}, r"test\.type: expected one of .* \(did you mean 'ab'\?\)"),
        ({"test": {"type": "ab", "ties": True}}, r"test\.ties: unknown key \(did you mean 'tie'"),
        ({"design": {"trials": 2, "repeats": 3}}, "repeats .3. should not exceed trials .2."),
        ({"checks": {"headphones": {"trials": 3}}}, "needed .5. should not exceed trials .3."),
        ({"design": {"gold": 1}}, r"design\.gold is 1, but checks\.gold has 0"),
    ],
)
def test_settings_are_read_strictly(make_study, settings, match):
    with pytest.raises(ConfigError, match=match):
        make_study(**settings)


def test_a_gold_trial_of_a_clip_that_is_not_there_is_named(make_study):
    gold = {"prompt": "p9", "systems": ["tuned", "base"], "expected": "tuned"}
    with pytest.raises(DataError, match="system 'tuned' has no clip of prompt 'p9'"):
        make_study(checks={"gold": [gold]})


def test_a_type_that_needs_a_reference_says_so(make_study):
    with pytest.raises(ConfigError, match="prompt 'p1' has no reference clip"):
        make_study({"type": "dcr"})


def test_an_unknown_kind_of_database_is_refused(make_study):
    with pytest.raises(ConfigError, match="got 'mysql'"):
        make_study(url="mysql://somewhere/db")
