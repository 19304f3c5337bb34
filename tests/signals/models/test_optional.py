"""Packages of the extras: named with their extra when they are missing."""

import sys

import pytest

from auralign.errors import MissingExtraError
from auralign.signals.models import (
    checkpoints,
    hub_models,
    onnx,
    restricted,
    sphinx,
    whisper,
    world,
)
from auralign.signals.models.optional import optional, optional_extension

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("package", "extra", "load"),
    [
        ("pocketsphinx", "speech", sphinx.load_alignment),
        ("pyworld", "speech", world.load_statistics),
        ("faster_whisper", "asr", whisper.load),
        ("onnxruntime", "mos", lambda: onnx.load_network("", "model", "")),
        ("torch", "mos", lambda: checkpoints.read_checkpoint("", "model", "")),
        ("transformers", "hub", hub_models.load_clap),
        ("pesq", "restricted", restricted.load_pesq),
        ("opensmile", "restricted", restricted.load_egemaps),
        ("parselmouth", "restricted", restricted.load_praat),
    ],
)
def test_a_signal_without_its_package_names_the_extra(monkeypatch, package, extra, load):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*auralign\[{extra}\]"):
        load()


def test_a_package_that_fails_for_want_of_another_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "needy_package.py").write_text("import absent_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="absent_package"):
        optional("needy_package", "hub")


def test_the_compiled_part_is_loaded_without_the_package_around_it(tmp_path, monkeypatch):
    package = tmp_path / "broken_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('never run')")
    (package / "part.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert optional_extension("broken_package", "part", "speech").answer == 42
    assert "broken_package" not in sys.modules
    with pytest.raises(MissingExtraError, match=r"'broken_package'"):
        optional_extension("broken_package", "other", "speech")
