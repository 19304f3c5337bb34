from pathlib import Path

import numpy as np
import pytest

from auralign.data import PROMPTS, StudyFolder, write_table
from auralign.errors import ConfigError, DataError
from auralign.policies.layouts import ClipLimits
from auralign.test_time.opening import open_codec, open_reward, own_function, read_prompts
from auralign.types import Prompt

OWN = """
import numpy as np

class Codec:
    sample_rate, n_codebooks, codebook_size, frame_rate = 16_000, 2, 8, 50.0
    def encode(self, audios): ...
    def decode(self, tokens): ...

def codec():
    return Codec()

def nothing():
    return None

def reward(prompts, tokens):
    return np.array([float(clip.sum()) for clip in tokens])
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)


@pytest.mark.usefixtures("here")
def test_prompts_come_from_a_table_a_file_of_lines_or_a_study():
    asked = [Prompt("a", "one two", "ann"), Prompt("b", "two")]
    Path("p.csv").write_text("id,text,condition\na,one two,ann\nb,two,\n")
    Path("p.jsonl").write_text(
        '{"id": "a", "text": "one two", "condition": "ann"}\n{"id": "b", "text": "two"}\n'
    )
    write_table(PROMPTS, asked, "prompts.parquet")
    StudyFolder.create("study", name="s", simulated=True).write_prompts(asked)
    for where in ("p.csv", "p.jsonl", "prompts.parquet", "study"):
        assert read_prompts(Path(where)) == asked


@pytest.mark.usefixtures("here")
def test_a_prompt_without_an_id_is_called_by_its_text():
    Path("p.csv").write_text("text\none two\n")
    assert read_prompts(Path("p.csv")) == [Prompt("one two", "one two")]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("id,txt\na,one\n", r"p.csv line 2: 'txt' is no field of a prompt \(did you mean 'text'"),
        ("id,text\na,one\nb,\n", "p.csv line 3: text is missing"),
        ("id,text\na,one\na,two\n", "p.csv: expected each id once, got 'a' twice"),
        ("id,text\n", "p.csv: expected at least one prompt, got none"),
        ("text,split\none,trian\n", r"split 'trian' is not one of .*did you mean 'train'"),
    ],
)
def test_a_table_that_holds_no_prompts_is_refused(table, said):
    Path("p.csv").write_text(table)
    with pytest.raises(DataError, match=said):
        read_prompts(Path("p.csv"))


@pytest.mark.usefixtures("here")
def test_a_codec_and_a_reward_of_your_own_are_opened_by_the_name_of_a_function():
    codec = open_codec("own.py:codec", ClipLimits(2, 8, 10))
    assert codec.n_codebooks == 2
    reward = open_reward("own.py:reward", None, {})
    assert reward([Prompt("p", "")], [np.ones((2, 3))]) == [6]


@pytest.mark.usefixtures("here")
def test_the_codec_must_be_that_of_the_policy():
    with pytest.raises(ConfigError, match=r"with 1 codebooks of 8, got 2 of 8"):
        open_codec("own.py:codec", ClipLimits(1, 8, 10))
    with pytest.raises(ConfigError, match=r"own.py:nothing: expected a Codec, got NoneType"):
        open_codec("own.py:nothing", None)


@pytest.mark.usefixtures("here")
def test_a_reward_that_listens_needs_a_codec():
    with pytest.raises(ConfigError, match="expected a codec to listen to clips with"):
        open_reward("loudness.lufs", None, {})


@pytest.mark.usefixtures("here")
def test_only_signals_take_options():
    with pytest.raises(ConfigError, match=r"reward_options: expected none for 'own.py:reward'"):
        open_reward("own.py:reward", None, {"x": 1})


@pytest.mark.usefixtures("here")
def test_a_function_that_is_not_there_is_a_sentence():
    assert own_function("loudness.lufs") is None
    with pytest.raises(ConfigError, match=r"expected a function rewrad, got none \(did you mean"):
        own_function("own.py:rewrad")
    with pytest.raises(ConfigError, match=r"other.py: expected a Python file, but there is none"):
        own_function("other.py:reward")
    Path("broken.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match=r"broken.py: expected code that runs, got ZeroDivision"):
        own_function("broken.py:reward")
