import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from auralign.errors import DataError, StorageError
from auralign.files import atomic_dir, reading, to_json, write_bytes, write_json, write_text


def refuse(code):
    def refusing(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return refusing


def test_a_written_file_holds_the_bytes_and_makes_its_folder(tmp_path):
    write_bytes(tmp_path / "new" / "a.bin", b"abc")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"abc"


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, function):
    write_text(tmp_path / "a.txt", "before")
    monkeypatch.setattr(os, function, refuse(errno.ENOSPC))
    with pytest.raises(StorageError, match=r"a\.txt: the disk is full; free some space"):
        write_text(tmp_path / "a.txt", "after")
    assert (tmp_path / "a.txt").read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_refusal_says_why(tmp_path, monkeypatch, code, reason):
    monkeypatch.setattr(os, "replace", refuse(code))
    with pytest.raises(StorageError, match=rf"cannot write .*a\.json: .*{reason}"):
        write_json(tmp_path / "a.json", {})


def test_a_file_where_a_folder_is_needed_is_refused(tmp_path):
    write_text(tmp_path / "a", "")
    with pytest.raises(StorageError, match=r"cannot write .*a/b"):
        write_text(tmp_path / "a" / "b", "")


def test_a_folder_appears_only_when_its_body_is_done(tmp_path):
    with atomic_dir(tmp_path / "stage") as aside:
        write_text(aside / "x", "1")
        assert not (tmp_path / "stage").exists()
    assert os.listdir(tmp_path) == ["stage"]
    assert (tmp_path / "stage" / "x").read_text() == "1"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_whose_body_fails_never_appears(tmp_path, error):
    def build():
        with atomic_dir(tmp_path / "stage") as aside:
            write_text(aside / "x", "1")
            raise error

    with pytest.raises(error):
        build()
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_inside_the_body_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="disk is full"), atomic_dir(tmp_path / "stage"):
        refuse(errno.ENOSPC)()
    assert os.listdir(tmp_path) == []


def test_a_file_the_body_cannot_read_stays_its_own_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_dir(tmp_path / "stage"):
        (tmp_path / "nothing").read_text()


def test_an_existing_folder_is_refused_before_the_work_begins(tmp_path):
    write_text(tmp_path / "stage" / "x", "old")
    entered = []
    with (
        pytest.raises(StorageError, match="is there already"),
        atomic_dir(tmp_path / "stage") as aside,
    ):
        entered.append(aside)
    assert entered == []


def test_replacing_a_folder_removes_what_was_in_it(tmp_path):
    write_text(tmp_path / "stage" / "old", "")
    with atomic_dir(tmp_path / "stage", replace=True) as aside:
        write_text(aside / "new", "")
    assert os.listdir(tmp_path / "stage") == ["new"]
    assert os.listdir(tmp_path) == ["stage"]


def test_a_replacement_that_the_disk_refuses_brings_the_old_folder_back(tmp_path, monkeypatch):
    write_text(tmp_path / "stage" / "old", "")
    replace = os.replace
    calls = []

    def refuse_the_second(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "")
        replace(source, target)

    with (
        pytest.raises(StorageError, match="disk is full"),
        atomic_dir(tmp_path / "stage", replace=True),
    ):
        monkeypatch.setattr(os, "replace", refuse_the_second)
    assert os.listdir(tmp_path) == ["stage"]
    assert os.listdir(tmp_path / "stage") == ["old"]


@dataclass
class Point:
    x: float
    where: Path


def test_json_is_strict_and_knows_records_numpy_and_paths():
    value = {"p": Point(float("nan"), Path("a/b")), "n": np.float32(0.5), "v": np.arange(3)}
    assert json.loads(to_json(value)) == {
        "p": {"x": None, "where": "a/b"},
        "n": 0.5,
        "v": [0, 1, 2],
    }


def test_json_refuses_what_it_cannot_say():
    with pytest.raises(TypeError, match="no JSON for object"):
        to_json({"a": object()})


def test_what_goes_wrong_in_reading_a_file_names_the_file_and_what_was_expected(tmp_path):
    path = tmp_path / "x.bin"
    odd = pytest.raises(DataError, match=r"x\.bin: expected a codec, got .* \(ValueError: odd\)")
    with odd, reading(path, "a codec"):
        raise ValueError("odd")
    absent = pytest.raises(DataError, match=r"x\.bin: expected a codec, but there is no such file")
    with absent, reading(path, "a codec"):
        path.read_bytes()


def test_an_error_that_is_a_sentence_already_stays_as_it_is(tmp_path):
    with pytest.raises(DataError, match=r"^clip 3 is empty$"), reading(tmp_path, "a codec"):
        raise DataError("clip 3 is empty")
