import json
import subprocess
import sys

import click
import pytest

from auralign.cli.console import Console, LazyGroup, Verb, VerbGroup, run
from auralign.errors import DataError, NotConvergedError


def app_that(action):
    @click.group(cls=VerbGroup)
    def app():
        pass

    @app.command()
    @click.pass_obj
    def work(console):
        action(console)

    return app


def raising(error):
    def action(console):
        raise error

    return app_that(action)


def test_a_result_is_text_or_with_json_one_document(capsys):
    app = app_that(lambda console: console.result({"a": [1, None]}, "a is 1"))
    assert run(app, ["work"]) == 0
    assert capsys.readouterr().out == "a is 1\n"
    assert run(app, ["work", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"a": [1, None]}


def test_words_go_to_stderr_unless_quiet(capsys):
    app = app_that(lambda console: console.say("halfway"))
    assert run(app, ["work", "--json"]) == 0
    assert capsys.readouterr() == ("", "halfway\n")
    assert run(app, ["work", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"), [(DataError("row 3 is broken"), 2), (NotConvergedError("no maximum"), 1)]
)
def test_our_errors_are_one_sentence_and_their_exit_code(capsys, error, code):
    assert run(raising(error), ["work"]) == code
    assert capsys.readouterr() == ("", f"error: {error}\n")


def test_with_json_an_error_is_the_document(capsys):
    assert run(raising(DataError("row 3 is broken")), ["work", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"type": "DataError", "message": "row 3 is broken"}}
    assert err == "error: row 3 is broken\n"


def test_an_unexpected_error_fails_and_points_to_debug(capsys):
    assert run(raising(ZeroDivisionError("by zero")), ["work"]) == 1
    err = capsys.readouterr().err
    assert err == "error: unexpected ZeroDivisionError: by zero (run again with --debug)\n"


def test_debug_shows_the_traceback(capsys):
    assert run(raising(DataError("row 3 is broken")), ["work", "--debug"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("error: row 3 is broken\n")


def test_an_interrupt_exits_with_130(capsys):
    assert run(raising(KeyboardInterrupt()), ["work"]) == 130
    assert "error: interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [(["wrk"], "No such command"), (["work", "--jsn"], "No such option"), (["work", "x"], "extra")],
)
def test_wrong_usage_exits_with_2_and_is_a_document_with_json(capsys, words, message):
    app = app_that(lambda console: None)
    assert run(app, words) == 2
    assert message in capsys.readouterr().err
    assert run(app, [*words, "--json"]) == 2
    assert message in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_command_may_choose_its_exit_code(capsys):
    app = app_that(lambda console: click.get_current_context().exit(2))
    assert run(app, ["work"]) == 2


def test_every_verb_has_the_common_options():
    verb = Verb("work")
    assert {option.name for option in verb.params} == {"json", "quiet", "debug"}


def test_a_closed_pipe_is_quiet():
    code = (
        "import click\n"
        "from auralign.cli.console import Console, Verb, run\n"
        "def work():\n"
        "    for _ in range(10**5): Console().result(None, 'x' * 100)\n"
        "raise SystemExit(run(Verb('work', callback=work), []))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


class TestLazyGroup:
    GROUP = LazyGroup("app", verbs={"fine": "auralign.cli.data:data", "broken": "nowhere:verb"})

    def test_a_command_is_imported_only_when_it_is_asked_for(self, capsys):
        assert run(self.GROUP, ["fine", "--help"]) == 0
        assert "Check and describe study folders" in capsys.readouterr().out

    def test_a_near_name_is_suggested(self, capsys):
        assert run(self.GROUP, ["fin"]) == 2
        assert "No such command 'fin' (did you mean 'fine'?)" in capsys.readouterr().err


def test_no_spinner_without_a_terminal(capsys):
    with Console().status("checking"):
        pass
    assert capsys.readouterr() == ("", "")
