"""The command line: parse, call one public function, print."""

from __future__ import annotations

import sys

import click

from auralign import __version__
from auralign.cli.console import LazyGroup, run

VERBS = {
    "quickstart": "auralign.cli.run:quickstart",
    "run": "auralign.cli.run:run",
    "data": "auralign.cli.data:data",
    "align": "auralign.cli.align:align",
    "sample": "auralign.cli.sample:sample",
    "guard": "auralign.cli.guard:guard",
    "stats": "auralign.cli.stats:stats",
    "score": "auralign.cli.score:score",
    "degrade": "auralign.cli.degrade:degrade",
    "listen": "auralign.cli.listen:listen",
}


@click.group(cls=LazyGroup, verbs=VERBS)
@click.version_option(__version__, prog_name="auralign")
def app() -> None:
    """Turn what listeners prefer into better audio generators."""


def main() -> None:
    """Run `auralign` with the words of the command line and exit."""
    sys.exit(run(app, sys.argv[1:]))
