import numpy as np
import pytest

from auralign.audio import write_wav
from auralign.data import StudyFolder
from auralign.errors import AudioError, DataError
from auralign.preferences.ladders import read_recordings
from auralign.types import Audio, Prompt, Split

pytestmark = pytest.mark.slow

RATE = 8_000
SOUND = Audio(np.random.default_rng(0).normal(0, 0.1, (1, RATE)).astype(np.float32), RATE)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.wav", "a.wav", "deep/c.wav"):
        write_wav(SOUND, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


def test_a_file_is_one_recording(folder):
    (recording,) = read_recordings(folder / "a.wav")
    assert recording.prompt == Prompt("a", "")
    assert recording.audio.n_samples == RATE


def test_a_folder_is_its_audio_files_by_name(folder):
    assert [r.prompt.id for r in read_recordings(folder)] == ["a", "b", "deep/c"]


def test_metadata_says_text_split_and_attributes(folder):
    (folder / "metadata.csv").write_text(
        "file_name,text,speaker,sex,split\nb.wav,hello there,ann,F,test\na.wav,,bob,,\n"
    )
    first, second = read_recordings(folder)
    assert first.prompt == Prompt("b", "hello there", condition="ann", split=Split.TEST)
    assert (first.attribute("sex"), first.attribute("emotion")) == ("f", "")
    assert (second.prompt.text, second.prompt.split) == ("", Split.TRAIN)


def test_label_tracks_of_audacity_give_times(folder):
    (folder / "a.words.txt").write_text("0.500000\t0.800000\ttwo\n0.1\t0.4\tone\n")
    (folder / "a.bars.txt").write_text("0\t0.5\t1\n\\\t100\t200\n0.5\t1\t2\n\n")
    (folder / "a.beats.txt").write_text("0\t0\n0.25\t0.25\n")
    (folder / "a.events.txt").write_text("0\t0.5\tdog\n0.5\t1.0\train\n")
    recording = read_recordings(folder)[0]
    assert [(s.label, s.begin_s, s.end_s) for s in recording.words] == [
        ("one", 0.1, 0.4),
        ("two", 0.5, 0.8),
    ]
    assert [s.label for s in recording.bars] == ["1", "2"]
    assert recording.beats_s == (0, 0.25)
    assert [e.label for e in recording.events] == ["dog", "rain"]
    assert recording.prompt.text == "dog, then rain"


def test_a_broken_label_track_names_the_line(folder):
    (folder / "a.words.txt").write_text("0.1\t0.4\tone\nnonsense\n")
    with pytest.raises(DataError, match=r"a\.words\.txt line 2: expected begin and end .*nonsense"):
        read_recordings(folder)


def test_a_table_of_events_makes_mixes(folder):
    (folder / "events.csv").write_text(
        "mix,file_name,label,onset_s\nyard,b.wav,dog,1.5\nyard,a.wav,bell,0\n"
    )
    (mix,) = read_recordings(folder)
    assert mix.prompt == Prompt("yard", "bell, then dog")
    assert mix.audio.duration_s == pytest.approx(2.5)


def test_a_table_without_a_column_names_it(folder):
    (folder / "events.csv").write_text("mix,file_name,label\n")
    with pytest.raises(DataError, match="onset_s is missing"):
        read_recordings(folder)


def test_an_onset_that_is_no_number_is_an_error(folder):
    (folder / "events.csv").write_text("mix,file_name,label,onset_s\nyard,b.wav,dog,soon\n")
    with pytest.raises(DataError, match="onset in seconds, got 'soon' for 'dog'"):
        read_recordings(folder)


def test_clips_of_a_study_are_recordings_with_prompts_of_their_own(tmp_path):
    study = StudyFolder.create(tmp_path / "study", name="s", simulated=False)
    study.write_prompts([Prompt("p", "seven", condition="ann", split=Split.VALIDATION)])
    sounds = [Audio(SOUND.samples * gain, RATE) for gain in (1, 0.5)]
    study.write_clips([study.add_audio(s, prompt_id="p", system="x") for s in sounds])
    recordings = read_recordings(study.path)
    assert len({r.prompt.id for r in recordings}) == 2
    assert {(r.prompt.text, r.prompt.split) for r in recordings} == {("seven", Split.VALIDATION)}
    assert {r.attribute("speaker") for r in recordings} == {"ann"}


def test_a_folder_without_audio_is_an_error(tmp_path):
    with pytest.raises(DataError, match="found no recording there"):
        read_recordings(tmp_path)


def test_a_file_that_is_gone_is_an_error_when_it_is_read(folder):
    (folder / "metadata.csv").write_text("file_name\ngone.wav\n")
    (recording,) = read_recordings(folder)
    with pytest.raises(AudioError, match="check the path"):
        _ = recording.audio
