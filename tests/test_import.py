import subprocess
import sys

import pytest

import auralign
from auralign import types

LIGHT_ROOMS = (
    "auralign",
    "auralign.audio",
    "auralign.data",
    "auralign.stats",
    "auralign.report",
    "auralign.preferences",
    "auralign.evaluation",
    "auralign.cli",
)
VERBS = ([], ["quickstart"], ["run"], ["data"], ["data", "validate"], ["data", "info"])


def loaded_after(code, module):
    """Whether `module` is loaded in a fresh interpreter that ran `code`."""
    script = f"import sys\n{code}\nprint({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1] == "True"


@pytest.mark.parametrize("room", LIGHT_ROOMS)
def test_a_light_room_loads_no_torch(room):
    assert not loaded_after(f"import {room}", "torch")


def test_the_check_can_fail():
    assert loaded_after("import auralign.data", "numpy")


@pytest.mark.parametrize("module", ["numpy", "pyarrow", "torch", "pydantic"])
def test_importing_auralign_alone_loads_nothing_heavy(module):
    assert not loaded_after("import auralign", module)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_loads_nothing_heavy(words):
    code = f"from auralign.cli import app, run\nassert run(app, {[*words, '--help']}) == 0"
    script = (
        f"{code}\nimport sys\nprint(sorted({{'numpy', 'pyarrow', 'torch'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_package_offers_the_records_of_types():
    assert auralign.Judgement is types.Judgement
    assert {"Judgement", "Outcome", "__version__"} <= set(dir(auralign))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Judgment'"):
        auralign.Judgment  # noqa: B018


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    assert auralign.__version__ == version("auralign")
