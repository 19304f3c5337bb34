"""The floors that docs/architecture.md draws are those that import-linter holds."""

import re
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "auralign"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def rooms(layer):
    return set(re.findall(r"\w+", layer))


def floors():
    """The rooms of each floor in pyproject.toml, the highest first."""
    (contract,) = (c for c in SETTINGS["contracts"] if c["id"] == "floors")
    return [rooms(layer) for layer in contract["layers"]]


def passes(config: Path) -> bool:
    return lint_imports(config_filename=str(config), no_cache=True, no_logo=True) == 0


def test_rooms_import_only_from_floors_below_and_light_rooms_no_torch(capsys):
    passed = passes(ROOT / "pyproject.toml")
    assert passed, capsys.readouterr().out


@pytest.mark.parametrize(
    "contract",
    [
        'type = "layers"\ncontainers = ["auralign"]\nlayers = ["audio", "data"]',
        'type = "forbidden"\nsource_modules = ["auralign.losses"]\nforbidden_modules = ["torch"]',
    ],
    ids=["floors", "torch"],
)
def test_the_check_can_fail(contract, tmp_path, capsys):
    config = tmp_path / "pyproject.toml"
    config.write_text(
        '[tool.importlinter]\nroot_package = "auralign"\ninclude_external_packages = true\n'
        f'[[tool.importlinter.contracts]]\nname = "upside down"\n{contract}\n'
    )
    assert not passes(config)
    assert "upside down BROKEN" in capsys.readouterr().out


def test_every_folder_of_modules_is_a_package():
    folders = {module.parent for module in PACKAGE.rglob("*.py")}
    assert [f.name for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_the_architecture_page_draws_the_same_floors():
    page = (ROOT / "docs" / "architecture.md").read_text()
    drawn = re.findall(r"^\| (\d) \| ([^|]+) \|", page, flags=re.MULTILINE)
    assert [rooms(row) for _, row in drawn] == [f for f in floors() if f != {"__main__"}]
    assert [int(number) for number, _ in drawn] == list(range(len(drawn), 0, -1))
