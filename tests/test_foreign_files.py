"""Every `load` answers a foreign file with a sentence."""

import pytest

from auralign.errors import DataError
from auralign.policies.codec import KMeansCodec
from auralign.policies.language_model import CodecLanguageModel
from auralign.preferences.ears import Ears
from auralign.rewards.bradley_terry import BradleyTerryReward
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.signals.recognisers.hmm import HmmRecogniser

FILES = {
    "codec.npz": KMeansCodec.load,
    "policy.safetensors": CodecLanguageModel.load,
    "recogniser.pt": CtcRecogniser.load,
    "recogniser.npz": HmmRecogniser.load,
    "head.pt": lambda path: BradleyTerryReward.load(path.parent),
}


@pytest.mark.parametrize("content", [b"", b"not ours at all", b"PK\x03\x04 broken archive"])
@pytest.mark.parametrize("name", FILES)
def test_a_foreign_file_is_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: expected a .* written by"):
        FILES[name](tmp_path / name)


@pytest.mark.parametrize("name", FILES)
def test_an_absent_file_is_a_sentence(tmp_path, name):
    with pytest.raises(DataError, match=rf"{name}: expected a .*, but there is no such file"):
        FILES[name](tmp_path / name)


def test_ears_name_the_file_of_theirs_that_is_absent(tmp_path):
    with pytest.raises(DataError, match=r"recogniser\.npz: expected a recogniser"):
        Ears.load(tmp_path)
