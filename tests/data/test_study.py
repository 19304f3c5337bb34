import errno
import os
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from auralign.audio import as_audio, clip_id, quantise
from auralign.data import StudyFolder
from auralign.errors import AudioError, ConfigError, DataError, StorageError
from auralign.types import Candidate, Clip, Judgement, Outcome, Prompt, Source, TrialProtocol


def noise(seed, channels=1):
    return as_audio(np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, 800)), 16_000)


@pytest.fixture
def study(tmp_path):
    return StudyFolder.create(tmp_path / "study", name="demo", simulated=False, notes="two rooms")


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_new_study_has_its_header_and_three_empty_tables(study):
    again = StudyFolder.open(study.path)
    assert again == study
    assert (again.header.name, again.header.simulated, again.header.notes) == (
        "demo",
        False,
        "two rooms",
    )
    assert (again.prompts(), again.clips(), again.judgements()) == ([], [], [])
    assert files_in(study.path) == [
        "clips.parquet",
        "judgements.parquet",
        "prompts.parquet",
        "study.yaml",
    ]


def test_creating_over_something_is_refused_and_changes_nothing(study):
    before = files_in(study.path)
    with pytest.raises(StorageError, match="study is there already"):
        StudyFolder.create(study.path, name="other", simulated=True)
    assert files_in(study.path) == before
    assert StudyFolder.open(study.path).header.name == "demo"


def test_records_come_back_as_they_were_written(study):
    prompts = [Prompt("p1", "say it")]
    clips = [study.add_audio(noise(0), prompt_id="p1", system="base", seed=1, sampler="greedy")]
    judgements = [
        Judgement(
            trial="t1",
            protocol=TrialProtocol.PAIR,
            dimension="overall",
            prompt_id="p1",
            candidates=(Candidate(clips[0].id), Candidate(clips[0].id)),
            rater="r1",
            source=Source.HUMAN,
            outcome=Outcome.TIE,
        )
    ]
    study.write_prompts(prompts)
    study.write_clips(clips)
    study.write_judgements(judgements)
    assert (study.prompts(), study.clips(), study.judgements()) == (prompts, clips, judgements)


class TestAudio:
    def test_a_clip_is_stored_under_the_hash_of_what_is_read_back(self, study):
        audio = noise(0, channels=2)
        clip = study.add_audio(audio, prompt_id="p1", system="base", seed=7)
        assert clip.path == f"audio/{clip.id[:2]}/{clip.id}.wav"
        assert (clip.sample_rate, clip.channels, clip.n_samples) == (16_000, 2, 800)
        read = study.audio(clip)
        assert np.array_equal(read.samples, quantise(audio).samples)
        assert clip_id(read) == clip.id

    def test_adding_the_same_samples_again_writes_nothing(self, study, monkeypatch):
        first = study.add_audio(noise(0), prompt_id="p1", system="base")
        monkeypatch.setattr(os, "replace", None)
        assert study.add_audio(noise(0), prompt_id="p1", system="base") == first

    def test_a_file_of_another_length_is_written_again(self, study):
        clip = study.add_audio(noise(0), prompt_id="p1", system="base")
        study.audio_path(clip).write_bytes(b"")
        study.add_audio(noise(0), prompt_id="p1", system="base")
        assert clip_id(study.audio(clip)) == clip.id

    def test_a_clip_that_is_gone_since_is_named(self, study):
        clip = study.add_audio(noise(0), prompt_id="p1", system="base")
        study.audio_path(clip).unlink()
        with pytest.raises(DataError, match=f"clip {clip.id}: .* the file is gone"):
            study.audio(clip)

    def test_a_clip_that_was_cut_short_is_named(self, study):
        clip = study.add_audio(noise(0), prompt_id="p1", system="base")
        path = study.audio_path(clip)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(AudioError, match="truncated"):
            study.audio(clip)

    @pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.wav", "audio/../../x.wav"])
    def test_a_record_cannot_point_out_of_the_study(self, study, path):
        clip = Clip("c", path, 16_000, 1, 800, "p1", "base")
        with pytest.raises(DataError, match="expected a path within the study folder"):
            study.audio(clip)

    def test_a_full_disk_leaves_no_half_clip(self, study, monkeypatch):
        def refuse(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        before = files_in(study.path)
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StorageError, match="disk is full"):
            study.add_audio(noise(0), prompt_id="p1", system="base")
        with pytest.raises(StorageError, match="disk is full"):
            study.write_prompts([Prompt("p1", "say it")])
        assert files_in(study.path) == before
        assert study.prompts() == []


class TestOpen:
    def test_a_folder_without_a_study_is_refused(self, tmp_path):
        with pytest.raises(DataError, match="it has no study"):
            StudyFolder.open(tmp_path)
        with pytest.raises(DataError, match="it does not exist"):
            StudyFolder.open(tmp_path / "gone")

    def test_an_unknown_key_in_the_header_is_refused(self, study):
        header = study.path / "study.yaml"
        header.write_text(header.read_text() + "simulate: true\n")
        with pytest.raises(ConfigError, match=r"simulate: unknown key \(did you mean 'simulated'"):
            StudyFolder.open(study.path)

    def test_a_newer_study_is_refused(self, study):
        header = study.path / "study.yaml"
        header.write_text(header.read_text().replace("schema_version: 1", "schema_version: 2"))
        with pytest.raises(DataError, match="schema_version 1 or older, got 2: upgrade"):
            StudyFolder.open(study.path)


class TestWithoutAudio:
    CLIP = Clip("talk/1", "talk/1.wav", 0, 0, 0, prompt_id="p1", system="base")

    @pytest.fixture
    def mute(self, tmp_path):
        return StudyFolder.create_without_audio(
            tmp_path / "mute",
            name="only votes",
            simulated=False,
            dimensions=("ease",),
            notes="from a paper\nwithout recordings\n",
            prompts=[Prompt("p1", "")],
            clips=[self.CLIP],
            judgements=[],
        )

    def test_the_header_says_so_and_the_clips_come_back(self, mute):
        again = StudyFolder.open(mute.path)
        assert not again.header.has_audio
        assert again.header.notes == "from a paper\nwithout recordings\n"
        assert again.clips() == [self.CLIP]
        assert files_in(mute.path) == [
            "clips.parquet",
            "judgements.parquet",
            "prompts.parquet",
            "study.yaml",
        ]

    def test_notes_are_written_line_by_line(self, mute):
        assert "notes: |\n  from a paper\n  without" in (mute.path / "study.yaml").read_text()

    def test_what_is_not_known_is_null_in_the_table_and_not_zero(self, mute):
        table = pq.read_table(mute.path / "clips.parquet").to_pylist()
        assert [table[0][name] for name in ("sample_rate", "channels", "n_samples")] == [None] * 3

    def test_asking_for_sound_is_an_error(self, mute):
        with pytest.raises(DataError, match="is a study without audio"):
            mute.audio(self.CLIP)

    def test_a_study_with_audio_may_not_lack_it(self, study):
        study.write_clips([self.CLIP])
        with pytest.raises(DataError, match=r"clips.parquet row 0: sample_rate, channels or n_s"):
            study.clips()


def test_judgements_on_one_dimension(study):
    judgement = Judgement(
        trial="t1",
        protocol=TrialProtocol.PAIR,
        dimension="overall",
        prompt_id="p1",
        candidates=(Candidate("a"), Candidate("b")),
        rater="r1",
        source=Source.HUMAN,
        outcome=Outcome.A,
    )
    other = replace(judgement, dimension="task_achievement")
    study.write_judgements([other, judgement, other])
    assert study.judgements("overall") == [judgement]
    assert study.judgements("nothing") == []
