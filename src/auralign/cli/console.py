"""The frame around every command: its common options, its two outputs and its exit codes.

Results go to stdout (one JSON document with `--json`), words and progress to stderr. Exit codes:
0 done, 1 failed, 2 the input is wrong, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from auralign.errors import AuralignError, did_you_mean
from auralign.files import to_json


@dataclass(frozen=True, slots=True)
class Console:
    """Where a command prints; commands get it with `@click.pass_obj`."""

    json: bool = False
    quiet: bool = False

    def result(self, document: Any, text: str) -> None:
        """Print the command's result to stdout: the document with `--json`, else the text."""
        click.echo(to_json(document, indent=2) if self.json else text)

    def say(self, words: str) -> None:
        """Tell the user something on stderr, unless `--quiet`."""
        if not self.quiet:
            click.echo(words, err=True)

    def status(self, words: str) -> contextlib.AbstractContextManager[Any]:
        """A spinner on stderr while the body runs; nothing with `--quiet` or without a terminal."""
        if self.quiet or not sys.stderr.isatty():
            return contextlib.nullcontext()
        from rich.console import Console as RichConsole

        return RichConsole(stderr=True).status(words)


class Verb(click.Command):
    """A command with the options that every command has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(["--json"], is_flag=True, help="Print one JSON document on stdout."),
            click.Option(["--quiet"], is_flag=True, help="No words and no progress on stderr."),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        ctx.params.pop("debug")
        ctx.obj = Console(json=ctx.params.pop("json"), quiet=ctx.params.pop("quiet"))
        return super().invoke(ctx)


class VerbGroup(click.Group):
    """A group whose commands are verbs."""

    command_class = Verb


class LazyGroup(click.Group):
    """A group that imports a command, named as `module:attribute`, when it is asked for."""

    def __init__(self, *args: Any, verbs: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.verbs:
            if not ctx.resilient_parsing:
                ctx.fail(f"No such command '{cmd_name}'{did_you_mean(cmd_name, self.verbs)}.")
            return None
        module, attribute = self.verbs[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


def run(app: click.Command, args: Sequence[str]) -> int:
    """Run the command line and return its exit code; every error becomes one sentence."""
    # Read from the words themselves, because parsing them is one of the things that can fail.
    as_json, debug = "--json" in args, "--debug" in args
    try:
        code = app.main(list(args), prog_name="auralign", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.Abort as error:
        return _fail(error, "interrupted by the keyboard", 130, as_json=as_json, debug=debug)
    except click.ClickException as error:
        error.show()
        _print_error_document(error, error.format_message(), as_json)
        return error.exit_code
    except AuralignError as error:
        return _fail(error, str(error), error.exit_code, as_json=as_json, debug=debug)
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error} (run again with --debug)"
        return _fail(error, message, 1, as_json=as_json, debug=debug)


def _fail(error: Exception, message: str, code: int, *, as_json: bool, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    click.echo(f"error: {message}", err=True)
    _print_error_document(error, message, as_json)
    return code


def _print_error_document(error: Exception, message: str, as_json: bool) -> None:
    if as_json:
        click.echo(to_json({"error": {"type": type(error).__name__, "message": message}}, indent=2))
