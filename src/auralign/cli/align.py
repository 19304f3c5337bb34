"""`auralign align`: which objective to align with."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from auralign.cli.console import Console, Verb
from auralign.cli.tables import WIDTH


@click.command(cls=Verb)
@click.option("--list-methods", is_flag=True, help="List the objectives by what data you have.")
@click.option("--explain", metavar="METHOD", help="Say what an objective does, needs and takes.")
@click.pass_obj
def align(console: Console, list_methods: bool, explain: str | None) -> None:
    """Look up objectives; training with them is a stage of a recipe (`auralign run`)."""
    from auralign.losses.explain import explain as explanation
    from auralign.losses.explain import listing

    if list_methods == bool(explain):
        raise click.UsageError("say either --list-methods or --explain METHOD")
    methods = listing()
    if explain:
        text = explanation(explain)
        console.result(next(m for m in methods if m["name"] == explain) | {"text": text}, text)
    else:
        console.result(methods, _by_group(methods))


def _by_group(methods: list[dict[str, Any]]) -> str:
    blocks: dict[str, list[str]] = {}
    for method in methods:
        line = f"  {method['name']}: {method['summary']}"
        wrapped = textwrap.fill(line, WIDTH, subsequent_indent=" " * 6)
        blocks.setdefault(method["group"], [method["group"]]).append(wrapped)
    return "\n\n".join("\n".join(block) for block in blocks.values())
