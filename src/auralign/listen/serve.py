"""The server as a process: uvicorn on an address of this machine unless told otherwise."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from auralign.errors import ConfigError
from auralign.listen.study import ListenStudy, open_study
from auralign.listen.web.app import create_app

START_S = 20.0
FOLDER, URL = "AURALIGN_LISTEN_FOLDER", "AURALIGN_LISTEN_DB"


def serve(
    study: ListenStudy,
    *,
    host: str,
    port: int,
    trusted_proxies: tuple[str, ...] = (),
    organiser_token: str | None = None,
) -> None:
    """Serve until interrupted. Forwarded addresses are believed from `trusted_proxies` only.

    With a token there is a page for the organiser, `/organiser/TOKEN`, on this machine only.
    """
    app = create_app(study, organiser_token=organiser_token)
    uvicorn.Server(uvicorn.Config(app, **_options(host, port, trusted_proxies))).run()


def serve_with_workers(
    folder: Path,
    *,
    url: str | None,
    workers: int,
    host: str,
    port: int,
    trusted_proxies: tuple[str, ...] = (),
) -> None:
    """Serve the test in `folder` from several processes, which share a database in PostgreSQL.

    Each process counts rates of requests by itself. Raises ConfigError for SQLite.
    """
    if url is None or url.startswith("sqlite"):
        raise ConfigError("several workers need PostgreSQL: give its address with --db")
    # Workers are new processes: they learn from their environment what to open.
    os.environ[FOLDER], os.environ[URL] = str(folder), url
    uvicorn.run(
        "auralign.listen.serve:worker",
        factory=True,
        workers=workers,
        **_options(host, port, trusted_proxies),
    )


def worker() -> FastAPI:
    """The application of one of several processes."""
    return create_app(open_study(os.environ[FOLDER], url=os.environ[URL]))


@contextlib.contextmanager
def serving(study: ListenStudy) -> Iterator[str]:
    """The server on a free port of this machine while the body runs; gives its address.

    Raises ConfigError when it does not start.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        config = uvicorn.Config(create_app(study), **_options("127.0.0.1", port, ()))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            _wait_for(server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


def _options(host: str, port: int, trusted_proxies: tuple[str, ...]) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": bool(trusted_proxies),
        "forwarded_allow_ips": list(trusted_proxies),
        "server_header": False,
    }


def _wait_for(server: uvicorn.Server) -> None:
    end = time.monotonic() + START_S
    while not server.started:
        if time.monotonic() > end:
            raise ConfigError("the server did not start within 20 s: see what it says above")
        time.sleep(0.02)
