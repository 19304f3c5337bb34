from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator

from auralign.data import StrictModel, load_yaml, parse, read_yaml
from auralign.errors import ConfigError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Dpo(StrictModel):
    method: Literal["dpo"]
    beta: float = Field(0.1, gt=0)


class Ipo(StrictModel):
    method: Literal["ipo"]
    tau: float = 0.1


class Sft(StrictModel):
    epochs: int = 1
    learning_rate: float = 1e-3
    colours: tuple[Colour, ...] = ()
    out: Path | None = None
    shuffle: bool = True

    @field_validator("epochs")
    @classmethod
    def _not_zero(cls, epochs: int) -> int:
        if epochs == 0:
            raise ValueError("an epoch at least")
        return epochs


class Recipe(StrictModel):
    name: str
    sft: Sft = Sft()
    align: Annotated[Dpo | Ipo, Field(discriminator="method")] | None = None
    rounds: tuple[Sft, ...] = ()
    named: dict[str, Sft] | None = None
    span: tuple[float, float] = (0, 1)


def read(text):
    return parse(Recipe, load_yaml(text, "recipe.yaml"), "recipe.yaml")


def test_a_recipe_is_read_with_its_types():
    recipe = read(
        "name: demo\n"
        "sft: {epochs: 1_000, learning_rate: 1e-4, colours: [red, blue], out: /tmp}\n"
        "align: {method: dpo, beta: 1}\n"
    )
    assert recipe == Recipe(
        name="demo",
        sft=Sft(
            epochs=1000,
            learning_rate=0.0001,
            colours=(Colour.RED, Colour.BLUE),
            out=Path("/tmp"),
        ),
        align=Dpo(method="dpo", beta=1.0),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("align: {method: dpo, bata: 1}", "align.bata: unknown key (did you mean 'beta'?)"),
        ("sft: {epoch: 1}", "sft.epoch: unknown key (did you mean 'epochs'?)"),
        ("rounds: [{}, {epoch: 1}]", "rounds.1.epoch: unknown key (did you mean 'epochs'?)"),
        ("named: {a: {epoch: 1}}", "named.a.epoch: unknown key (did you mean 'epochs'?)"),
        ("colour: 1", "colour: unknown key"),
        (
            "sft: {learning_rate: '0.1'}",
            "sft.learning_rate: expected a valid number, got the text '0.1'",
        ),
        ("sft: {learning_rate: true}", "sft.learning_rate: expected a valid number, got true"),
        ("sft: {learning_rate: .inf}", "sft.learning_rate: expected a finite number"),
        ("sft: {epochs: true}", "sft.epochs: expected a valid integer, got true"),
        ("sft: {epochs: 1.0}", "sft.epochs: expected a valid integer, got 1.0"),
        ("sft: {epochs: 0}", "sft.epochs: an epoch at least, got 0"),
        ("sft: {shuffle: yes}", "sft.shuffle: expected a valid boolean, got the text 'yes'"),
        ("sft: {colours: red}", "sft.colours: expected a list, got the text 'red'"),
        ("sft: {colours: [read]}", "sft.colours.0: expected 'red' or 'blue', got the text 'read'"),
        ("sft: 3", "sft: expected a mapping, got 3"),
        ("sft:", "sft: expected a mapping, got nothing"),
        ("align: {method: dpo, beta: 0}", "align.beta: expected a value greater than 0, got 0"),
        ("align: {method: dbo}", "align.method: expected one of 'dpo', 'ipo', got the text 'dbo'"),
        ("align: {beta: 1}", "align.method: this key is required"),
        ("span: [1]", "span.1: this key is required"),
    ],
)
def test_a_wrong_key_is_named_with_what_was_expected_and_came(text, message):
    with pytest.raises(ConfigError) as caught:
        read(f"name: x\n{text}")
    assert str(caught.value).startswith(f"recipe.yaml: {message}")


def test_every_wrong_key_is_named_at_once():
    with pytest.raises(ConfigError, match=r"name: this key is required; sft\.epochs: expected"):
        read("sft: {epochs: x}")


@pytest.mark.parametrize(("text", "came"), [("", "nothing"), ("- 1", "a list of 1"), ("a", "'a'")])
def test_a_document_that_is_no_mapping_lists_the_keys(text, came):
    with pytest.raises(ConfigError, match=f"expected the keys name, sft, .*; got .*{came}"):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b", "line 2: .*the key 'name' is given twice"),
        ("name: a\nsft: {epochs: 1,\n  epochs: 2}", "line 3: .*the key 'epochs' is given twice"),
        ("name: a\nsft: [1, 2", "line 2: not valid YAML"),
        ("name: a\n\tb: 3", "line 2: not valid YAML: .*'\\\\t'"),
        ("name: !!python/name:os.system", "line 1: not valid YAML"),
        ("name: a\n? [1]\n: 3", "line 2: .*expected text as a key"),
        ("name: \x01", "recipe.yaml: not valid YAML: unacceptable character"),
        ("name: a\nsft: &a [*a]", "recipe.yaml: expected plain data"),
    ],
)
def test_bad_yaml_is_refused_with_its_line(text, message):
    with pytest.raises(ConfigError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1e-4", 0.0001),
        ("1.5E3", 1500.0),
        (".5", 0.5),
        ("-3", -3),
        ("1_000", 1000),
        ("010", 10),
        ("true", True),
        ("~", None),
        ("", None),
        ("-.inf", float("-inf")),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_", "1_"),
        ("'1'", "1"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(scalar, value):
    read = load_yaml(f"a: {scalar}", "x")["a"]
    assert read == value
    assert type(read) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_prints_is_read_back(value):
    assert load_yaml(f"a: {value!r}", "x") == {"a": value}


def test_a_file_is_read_and_named_in_errors(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: x", encoding="utf-8")
    assert read_yaml(Recipe, path).name == "x"
    path.write_text("nam: x", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"^{path}: .*nam: unknown key"):
        read_yaml(Recipe, path)


def test_a_missing_file_and_another_encoding_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(Recipe, tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ConfigError, match="expected text in UTF-8"):
        read_yaml(Recipe, tmp_path / "latin.yaml")


def test_a_model_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        read("name: x").name = "y"
