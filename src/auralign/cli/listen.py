"""`auralign listen`: make a listening test, serve it, look how far it is, take the answers home."""

from __future__ import annotations

import importlib
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auralign.cli.console import Console, VerbGroup
from auralign.errors import ConfigError, MissingExtraError, StorageError

if TYPE_CHECKING:
    from auralign.listen.study import ListenStudy

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_DB = click.option(
    "--db", metavar="URL", help="Another database, such as postgresql+psycopg://host/name."
)
_HOST = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_PORT = click.option("--port", default=8000, show_default=True, help="Port to listen on.")
_SIMULATED = click.option(
    "--simulated", is_flag=True, help="The answers of simulated listeners, in place of people's."
)


@click.group(cls=VerbGroup)
def listen() -> None:
    """Listening tests on the web."""


@listen.command()
@_FOLDER
@click.pass_obj
def new(console: Console, folder: Path) -> None:
    """Write a commented test.yaml into DIR."""
    from auralign.files import write_text
    from auralign.listen.template import TEMPLATE

    path = folder / "test.yaml"
    if path.exists():
        raise StorageError(f"{path} is there already: edit it, or choose another folder")
    write_text(path, TEMPLATE)
    text = f"Written to {path}: put the clips into {folder / 'clips'}/SYSTEM/PROMPT.wav"
    console.result({"settings": path}, text)


@listen.command()
@_FOLDER
@_DB
@_HOST
@_PORT
@click.option("--proxy", "proxies", multiple=True, help="A proxy whose forwarded address counts.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1, max=64),
    help="Processes that serve it; more than one needs PostgreSQL.",
)
@click.option("--organiser", is_flag=True, help="With a page that shows how far the test is.")
@click.pass_obj
def serve(
    console: Console,
    folder: Path,
    db: str | None,
    host: str,
    port: int,
    proxies: tuple[str, ...],
    workers: int,
    organiser: bool,
) -> None:
    """Serve the test in DIR until interrupted."""
    if organiser and workers > 1:
        raise ConfigError("the organiser's page is served by one worker: leave --workers out")
    study = _open(console, folder, db)
    from auralign.listen import serve as server

    console.say(f"{study.settings.name}: http://{host}:{port} (stop with Ctrl-C)")
    if workers > 1:
        study.close()
        server.serve_with_workers(
            folder, url=db, workers=workers, host=host, port=port, trusted_proxies=proxies
        )
        return
    token = secrets.token_urlsafe(24) if organiser else None
    if token is not None:
        console.say(f"for the organiser: http://127.0.0.1:{port}/organiser/{token}")
    server.serve(study, host=host, port=port, trusted_proxies=proxies, organiser_token=token)


@listen.command()
@_HOST
@_PORT
@click.option("--no-browser", is_flag=True, help="Only say where it is.")
@click.pass_obj
def demo(console: Console, host: str, port: int, no_browser: bool) -> None:
    """Serve an example, whose clips are made on the spot, until interrupted."""
    _require_extra()
    import numpy as np

    from auralign.listen import serve as server
    from auralign.listen.demo import make_demo
    from auralign.listen.study import open_study

    with tempfile.TemporaryDirectory() as parent:
        folder = make_demo(Path(parent) / "demo", rng=np.random.default_rng(0))
        study = open_study(folder)
        console.say(f"The example is at http://{host}:{port} (stop with Ctrl-C)")
        if not no_browser:
            click.launch(f"http://{host}:{port}")
        server.serve(study, host=host, port=port)


@listen.command()
@_FOLDER
@_DB
@_SIMULATED
@click.pass_obj
def status(console: Console, folder: Path, db: str | None, simulated: bool) -> None:
    """Say how many people came to the test in DIR and how much is answered."""
    study = _open(console, folder, db, simulated)
    from auralign.listen.outcome.progress import progress

    now = progress(study)
    sittings = ", ".join(f"{n} {state}" for state, n in now.sittings.items()) or "none yet"
    wanted = f" of {now.wanted} wanted" if now.wanted else ""
    console.result(
        now,
        f"{now.name}{' (closed)' if now.closed else ''}\n"
        f"sittings    {sittings}\n"
        f"answers     {now.answers}\n"
        f"conditions  {now.conditions}, with {now.fewest} to {now.most} answers{wanted}",
    )


@listen.command()
@_FOLDER
@_DB
@click.pass_obj
def close(console: Console, folder: Path, db: str | None) -> None:
    """Let nobody begin the test in DIR any more."""
    study = _open(console, folder, db)
    from auralign.listen.outcome import progress

    changed = progress.close(study)
    text = f"{folder}: closed" if changed else f"{folder}: was closed already"
    console.result({"folder": folder, "closed": True, "changed": changed}, text)


@listen.command()
@_FOLDER
@_DB
@_SIMULATED
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The new study."
)
@click.option("--private", is_flag=True, help="With what listeners wrote, and platform ids.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.pass_obj
def export(
    console: Console,
    folder: Path,
    db: str | None,
    simulated: bool,
    out: Path,
    private: bool,
    force: bool,
) -> None:
    """Write the answers of the test in DIR as a study folder.

    Where only simulated listeners have answered, theirs are written, and the study says so.
    """
    study = _open_answers(console, folder, db, simulated)
    from auralign.listen.outcome.export import export_study
    from auralign.listen.outcome.screening import screen

    screen(study)
    done = export_study(study, out, private=private, force=force)
    if study.simulated:
        console.say("all listeners are simulated: programs, not people")
    console.result(
        {**_fields(done), "simulated": study.simulated},
        f"Written to {done.out}: {done.judgements} judgements by {done.listeners} listeners",
    )


@listen.command()
@_FOLDER
@_DB
@_SIMULATED
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="An .html or .md file."
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.pass_obj
def card(
    console: Console,
    folder: Path,
    db: str | None,
    simulated: bool,
    out: Path | None,
    force: bool,
) -> None:
    """Write the methods card of the test in DIR: how it was done, for a paper or a reviewer.

    Without a file it is printed as Markdown.
    """
    study = _open_answers(console, folder, db, simulated)
    from auralign.files import write_text
    from auralign.listen.outcome.card import methods_card, to_html, to_markdown
    from auralign.listen.outcome.screening import screen

    if out is not None and out.suffix not in (".html", ".md"):
        raise ConfigError(f"expected a file that ends in .html or .md, got {out}")
    if out is not None and out.exists() and not force:
        raise StorageError(f"{out} is there already: choose another file, or --force")
    screen(study)
    made = methods_card(study)
    text = to_markdown(made)
    if out is not None:
        write_text(out, to_html(made) if out.suffix == ".html" else text)
        text = f"Written to {out}"
    console.result(made, text)


@listen.command()
@_FOLDER
@click.option("--listeners", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--at-once", default=4, show_default=True, type=click.IntRange(min=1, max=64))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.pass_obj
def simulate(console: Console, folder: Path, listeners: int, at_once: int, seed: int) -> None:
    """Send simulated listeners through the test in DIR, over HTTP, into a database of their own."""
    study = _open(console, folder, None, True)
    import httpx2

    from auralign.listen.serve import serving
    from auralign.listen.simulate.run import simulate as run_simulation

    with console.status(f"{listeners} simulated listeners"), serving(study) as address:
        result = run_simulation(
            lambda: httpx2.Client(base_url=address, timeout=30.0),
            study.settings.consent.version,
            listeners=listeners,
            seed=seed,
            at_once=at_once,
        )
    ends = ", ".join(f"{n} {outcome}" for outcome, n in result.outcomes.items())
    console.result(
        result, f"{result.answers} answers of {result.listeners} simulated listeners: {ends}"
    )


def _open(console: Console, folder: Path, db: str | None, simulated: bool = False) -> ListenStudy:
    _require_extra()
    from auralign.listen.study import open_study

    with console.status(f"opening {folder}"):
        return open_study(folder, url=db, simulated=simulated)


def _require_extra() -> None:
    for package in ("fastapi", "sqlalchemy", "alembic", "uvicorn", "httpx2"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise MissingExtraError(package, "listen") from None


def _open_answers(console: Console, folder: Path, db: str | None, simulated: bool) -> ListenStudy:
    """The answers of people; those of simulated listeners where no people came, but they did."""
    study = _open(console, folder, db, simulated)
    from auralign.listen.outcome.progress import has_listeners

    if db is not None or has_listeners(study) or not (folder / "simulated.sqlite").exists():
        return study
    study.close()
    return _open(console, folder, None, True)


def _fields(record: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(record)  # type: ignore[call-overload,no-any-return]
