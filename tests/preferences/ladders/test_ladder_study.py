import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from auralign import __version__
from auralign.data import PAIRS, StudyFolder, validate_study
from auralign.data.tables import read_table
from auralign.errors import DataError, StorageError
from auralign.preferences.ladders import Settings, operations, write_ladders
from auralign.types import Source, Split

pytestmark = pytest.mark.slow

CHOSEN = operations(["clip", "tempo/faster", "words/deleted", "events/dropped"])


@pytest.fixture(scope="module")
def study(takes, tmp_path_factory):
    path = tmp_path_factory.mktemp("ladders") / "study"
    write_ladders(path, takes[:2], CHOSEN, Settings(seed=5, draws=2), pool=takes)
    return StudyFolder.open(path)


@pytest.fixture(scope="module")
def manifest(study):
    return json.loads((study.path / "ladders.json").read_text())


def test_the_study_is_sound_and_says_that_it_is_synthetic(study):
    assert validate_study(study.path) == []
    assert {j.source for j in study.judgements()} == {Source.SYNTHETIC}


def test_pairs_are_of_clips_of_their_prompt_and_never_overall(study):
    prompt_of = {clip.id: clip.prompt_id for clip in study.clips()}
    pairs = read_table(PAIRS, study.path / "pairs.parquet")
    assert len(pairs) == len(study.judgements())
    for pair in pairs:
        assert prompt_of[pair.chosen] == prompt_of[pair.rejected] == pair.prompt_id
        assert pair.dimension != "overall"


def test_every_item_says_how_it_came_to_be(study, manifest):
    clips = {clip.id: clip for clip in study.clips()}
    families = {"clip", "tempo", "words", "events"}
    assert {item["family"] for item in manifest["items"]} == families
    for item in manifest["items"]:
        assert clips[item["clip_id"]].duration_s == pytest.approx(item["duration_s"])
        assert isinstance(item["seed"], int)
        assert item["loudness_measure"] == "LUFS"
    assert manifest["versions"]["auralign"] == __version__
    assert manifest["versions"]["libsndfile"] == soundfile.__libsndfile_version__


def test_every_ladder_has_a_control(manifest):
    ladders = {(i["prompt_id"], i["operation"], i["seed"]) for i in manifest["items"]}
    controls = [i for i in manifest["items"] if i["control"]]
    assert len(ladders) == 2 * len(CHOSEN) * 2  # recordings, operations, draws
    assert {(i["prompt_id"], i["operation"], i["seed"]) for i in controls} == ladders


def test_the_original_is_the_reference_of_its_prompt_and_in_no_pair_but_as_a_control(
    study, manifest
):
    originals = {prompt.id: prompt.reference_clip for prompt in study.prompts()}
    controls = {item["clip_id"] for item in manifest["items"] if item["control"]}
    paired = {c.clip_id for j in study.judgements() for c in j.candidates}
    for item in manifest["items"]:
        assert item["source_clip_id"] == originals[item["prompt_id"]]
    assert set(originals.values()) & paired <= controls


def test_a_rung_can_be_made_again_from_its_record(study, manifest, takes):
    from auralign.preferences.ladders import build_ladder

    item = next(i for i in manifest["items"] if i["operation"] == "words/deleted")
    recording = next(t for t in takes if t.prompt.id == item["prompt_id"])
    ladder = build_ladder(recording, CHOSEN[2], seed=item["seed"])
    assert item["clip_id"] in {rung.clip_id for rung in ladder.rungs}


def test_what_else_is_built_changes_no_ladder(takes, study, tmp_path):
    write_ladders(tmp_path / "alone", takes[1:2], operations(["words/deleted"]), Settings(seed=5))
    alone = {clip.id for clip in StudyFolder.open(tmp_path / "alone").clips()}
    assert alone <= {clip.id for clip in study.clips()}


def test_what_could_not_be_made_is_listed(takes, tmp_path):
    bare = [replace(takes[0], words=())]
    manifest = write_ladders(tmp_path / "s", bare, CHOSEN, Settings(seed=0))
    assert [s["operation"] for s in manifest["skipped"]] == ["words/deleted"]
    assert manifest["skipped"][0]["severity"] is None


def test_nothing_is_borrowed_from_another_split(takes, tmp_path):
    test = [replace(t, prompt=replace(t.prompt, split=Split.TEST)) for t in takes[1:]]
    with pytest.raises(DataError, match="no ladder could be made of 1 recordings"):
        write_ladders(
            tmp_path / "s", takes[:1], operations(["speaker"]), Settings(0), pool=[takes[0], *test]
        )
    assert not (tmp_path / "s").exists()


def test_a_study_is_replaced_only_when_asked(takes, tmp_path):
    clip = operations(["clip"])
    write_ladders(tmp_path / "s", takes[:1], clip, Settings(seed=0))
    with pytest.raises(StorageError, match="is there already"):
        write_ladders(tmp_path / "s", takes[:1], clip, Settings(seed=0))
    write_ladders(tmp_path / "s", takes[1:2], clip, Settings(seed=0), force=True)
    assert [p.id for p in StudyFolder.open(tmp_path / "s").prompts()] == [takes[1].prompt.id]


def test_a_folder_that_is_no_study_is_never_replaced(takes, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"no study\.yaml"):
        write_ladders(
            tmp_path / "precious", takes[:1], operations(["clip"]), Settings(seed=0), force=True
        )
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years of work"


def test_clips_of_a_lower_rung_are_further_from_the_reference(study, manifest):
    """Clipping at a lower quantile leaves a larger error, after the gains are taken out."""
    clips = {clip.id: clip for clip in study.clips()}
    rungs = [i for i in manifest["items"] if i["operation"] == "clip/quantile"]
    ladder = [i for i in rungs if i["seed"] == rungs[0]["seed"]]

    def error(item):
        reference = study.audio(clips[item["source_clip_id"]]).samples
        return np.mean((study.audio(clips[item["clip_id"]]).samples - reference) ** 2.0)

    errors = [error(item) for item in sorted(ladder, key=lambda i: i["position"])]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]
