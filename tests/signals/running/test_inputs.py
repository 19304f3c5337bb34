import pytest

from auralign.audio import write_wav
from auralign.data import StudyFolder
from auralign.errors import DataError
from auralign.signals.running.inputs import clips_at, clips_of
from auralign.types import Prompt

pytestmark = pytest.mark.slow


@pytest.fixture
def tree(tmp_path, tone):
    for name in ("a.wav", "deep/b.wav", "deep/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / name).write_text("no audio")
        else:
            write_wav(tone(0.1), tmp_path / name)
    return tmp_path


def names(clips):
    return [clip.path.name for clip in clips]


def test_a_folder_is_read_with_what_lies_below_it(tree):
    assert names(clips_at([tree])) == ["a.wav", "b.wav"]


def test_a_file_that_is_named_may_end_as_it_likes(tree):
    assert names(clips_at([tree / "deep" / "notes.txt"])) == ["notes.txt"]


def test_a_clip_is_called_as_it_was_given(tree):
    (clip,) = clips_at([f"{tree}/a.wav"])
    assert clip.name == f"{tree}/a.wav"


def test_a_path_that_is_not_there_is_a_sentence(tree):
    with pytest.raises(DataError, match=r"gone: expected audio, found nothing of that name"):
        clips_at([tree / "gone"])
    (tree / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: expected audio \(\.wav, .*found none"):
        clips_at([tree / "empty"])


def test_references_have_the_names_of_clips_below_their_own_folder(tree, tmp_path, tone):
    for name in ("refs/a.flac", "refs/deep/b.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(tone(0.1), tmp_path / name)
    clips = clips_at([tree / "a.wav", tree / "deep"], reference=tree / "refs")
    assert [c.reference and c.reference.name for c in clips] == ["a.flac", None]
    (clip,) = [c for c in clips_at([tree], reference=tree / "refs") if "refs" not in c.name][1:]
    assert clip.reference == tree / "refs" / "deep" / "b.wav"


def test_one_recording_may_be_the_reference_of_all(tree):
    clips = clips_at([tree], reference=tree / "a.wav")
    assert {c.reference for c in clips} == {tree / "a.wav"}


def test_references_of_which_none_belongs_to_a_clip_are_a_mistake(tree, tmp_path, tone):
    (tmp_path / "others").mkdir()
    write_wav(tone(0.1), tmp_path / "others" / "x.wav")
    with pytest.raises(DataError, match="expected references with the names of clips, such as a"):
        clips_at([tree / "a.wav"], reference=tmp_path / "others")


@pytest.mark.parametrize("key", ["a", "a.wav", "{tree}/a.wav"])
def test_texts_are_found_by_path_name_or_stem(tree, key):
    table = tree / "texts.csv"
    table.write_text(f"clip,text,label\n{key.format(tree=tree)},one two,calm\n")
    a, b = clips_at([tree / "a.wav", tree / "deep"], text=table)
    assert (a.text, a.label) == ("one two", "calm")
    assert (b.text, b.label) == (None, None)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,text\na,one\n", "line 2: expected the columns 'clip' and 'text'"),
        ("clip,text\na,one\na,two\n", "line 3: 'a' is there twice"),
        ("clip,text\nx,one\n", "such as a, found x"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tree, table, words):
    (tree / "texts.csv").write_text(table)
    with pytest.raises(DataError, match=words):
        clips_at([tree / "a.wav"], text=tree / "texts.csv")


def test_a_study_gives_its_clips_with_texts_and_references(tmp_path, tone):
    study = StudyFolder.create(tmp_path / "study", name="s", simulated=False)
    reference = study.add_audio(tone(level=0.4), prompt_id="p", system="human")
    clip = study.add_audio(tone(level=0.2), prompt_id="p", system="robot")
    study.write_clips([reference, clip])
    study.write_prompts([Prompt("p", "one", condition="calm", reference_clip=reference.id)])
    found = {c.name: c for c in clips_of(StudyFolder.open(tmp_path / "study"))}
    assert found[clip.id].reference == study.audio_path(reference)
    assert (found[clip.id].text, found[clip.id].label) == ("one", "calm")


def test_a_study_without_audio_has_nothing_to_measure(tmp_path):
    study = StudyFolder.create_without_audio(
        tmp_path / "s",
        name="s",
        simulated=False,
        dimensions=("overall",),
        notes="",
        prompts=(),
        clips=(),
        judgements=(),
    )
    with pytest.raises(DataError, match="without audio"):
        clips_of(study)
