import json

import pytest

from auralign.data import StudyFolder, study_info, validate_study
from auralign.data.importers import import_aes
from auralign.errors import DataError, StorageError
from auralign.types import TrialProtocol
from real_data import AES


def record(path, quality=(8, 7), complexity=(1, 2), enjoyment=(5, 6), usefulness=(4, 4)):
    return {
        "data_path": path,
        "Production_Quality": list(quality),
        "Production_Complexity": list(complexity),
        "Content_Enjoyment": list(enjoyment),
        "Content_Usefulness": list(usefulness),
    }


@pytest.fixture
def release(tmp_path):
    """A folder in the layout of the release: two systems answer one prompt of sounds."""
    folder = tmp_path / "aes"
    folder.mkdir()

    def write(*records, name="AES_PAM.jsonl"):
        lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
        (folder / name).write_text("".join(line + "\n" for line in lines))
        return folder

    write(
        record("/your_path/PAM/human_eval/audio/gen/a.wav"),
        record("/your_path/PAM/human_eval/audio/real/a.wav", quality=(10, 0)),
        record("/your_path/PAM/human_eval/music/real/a.wav"),
    )
    write.folder = folder
    return write


def test_each_rating_becomes_a_judgement(release, tmp_path):
    study = import_aes(release.folder, tmp_path / "study")
    assert validate_study(study.path) == []
    judgements = study.judgements("production_quality")
    of_real = [j for j in judgements if j.candidates[0].clip_id == "PAM/human_eval/audio/real/a"]
    assert [j.rating for j in of_real] == [10.0, 0.0]
    assert {j.scale for j in judgements} == {(0.0, 10.0)}
    assert {j.protocol for j in judgements} == {TrialProtocol.RATING}
    assert len(study.judgements()) == 3 * 4 * 2


def test_the_folder_is_the_system_and_the_name_within_a_domain_is_the_prompt(release, tmp_path):
    study = import_aes(release.folder, tmp_path / "study")
    assert [(c.system, c.prompt_id) for c in study.clips()] == [
        ("gen", "audio/a"),
        ("real", "audio/a"),
        ("real", "music/a"),
    ]
    assert {(p.id, p.condition) for p in study.prompts()} == {
        ("audio/a", "audio"),
        ("music/a", "music"),
    }


def test_no_rater_is_taken_for_the_same_person_on_two_recordings(release, tmp_path):
    judgements = import_aes(release.folder, tmp_path / "study").judgements()
    clips_of = {}
    for j in judgements:
        clips_of.setdefault(j.rater, set()).add(j.candidates[0].clip_id)
    assert len(clips_of) == 3 * 2
    assert all(len(clips) == 1 for clips in clips_of.values())


def test_the_study_says_what_it_is(release, tmp_path):
    header = StudyFolder.open(import_aes(release.folder, tmp_path / "study").path).header
    assert not header.has_audio
    assert not header.simulated
    assert header.descriptive_dimensions == ("production_complexity",)
    assert "overall" not in header.dimensions
    assert "every\nrecording therefore has raters of its own" in header.notes


def test_a_file_of_natural_recordings_has_its_corpora_as_systems(release, tmp_path):
    name = "AES_natural_speech.jsonl"
    folder = release(
        record("/your_path/EARS/p001/happy.wav"), record("/your_path/cv/en/1.mp3"), name=name
    )
    study = import_aes(folder / name, tmp_path / "speech")
    assert [(c.system, c.prompt_id) for c in study.clips()] == [
        ("EARS", "EARS/p001/happy"),
        ("cv", "cv/en/1"),
    ]


GOOD = record("/your_path/PAM/human_eval/audio/gen/a.wav")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", "line 2: expected a JSON object"),
        ("[1]", r"line 2: expected a JSON object, got \[1\]"),
        ({**GOOD, "data_path": 3}, "line 2: expected data_path as a path, got 3"),
        ({**GOOD, "Content_Enjoyment": [11, 2]}, "line 2: expected Content_Enjoyment as a list"),
        ({**GOOD, "Content_Enjoyment": [True, 2]}, "line 2: expected Content_Enjoyment as a list"),
        ({**GOOD, "Production_Quality": None}, "line 2: expected Production_Quality as a list"),
        ({**GOOD, "Production_Quality": [1]}, "as many ratings on each axis, got Production_Qu"),
        (GOOD, r"a.wav is there twice"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_written(release, tmp_path, line, message):
    folder = release(GOOD, line)
    with pytest.raises(DataError, match=message):
        import_aes(folder, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_folder_without_the_file_names_the_file(tmp_path):
    with pytest.raises(
        DataError, match=r"expected AES_PAM.jsonl in this folder, but it holds none"
    ):
        import_aes(tmp_path, tmp_path / "study")


def test_what_is_there_is_replaced_only_by_force_and_only_if_it_is_a_study(release, tmp_path):
    import_aes(release.folder, tmp_path / "study")
    with pytest.raises(StorageError, match="is there already"):
        import_aes(release.folder, tmp_path / "study")
    import_aes(release.folder, tmp_path / "study", force=True)
    with pytest.raises(StorageError, match="is not a study folder, so it is not replaced"):
        import_aes(release.folder, release.folder, force=True)


@pytest.mark.realdata("aes")
def test_the_release_holds_nine_systems_and_ten_ratings_a_clip(tmp_path):
    study = import_aes(AES, tmp_path / "study")
    info = study_info(study.path)
    assert (info["clips"], info["prompts"], len(info["clips_by_system"])) == (1000, 200, 9)
    assert set(info["judgements_by_dimension"].values()) == {10_000}
    assert validate_study(study.path) == []
