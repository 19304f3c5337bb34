import socket
import subprocess
import sys
from pathlib import Path

import peft
import pytest
import torch
import transformers
from torch import nn

from auralign.errors import ConfigError, MissingExtraError
from auralign.policies import hub

pytestmark = pytest.mark.slow


def test_importing_every_policy_loads_no_library_of_the_extra():
    # What a model of the extra needs for sampling is loaded when it samples.
    names = {path.stem for path in Path(hub.__file__).parent.glob("*.py")} - {"kv_cache"}
    imports = "\n".join(f"import auralign.policies.{name}" for name in names if name[0] != "_")
    script = f"{imports}\nimport sys\nprint({{'transformers', 'peft'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.fixture
def llama() -> transformers.LlamaForCausalLM:
    config = transformers.LlamaConfig(
        vocab_size=12,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        attention_dropout=0.4,
    )
    return transformers.LlamaForCausalLM(config)


def test_a_saved_model_is_loaded_in_evaluation_mode_without_dropout(llama, tmp_path):
    llama.save_pretrained(tmp_path)
    loaded = hub.load_model("AutoModelForCausalLM", str(tmp_path), local_files_only=True)
    assert not loaded.training
    assert loaded.config.attention_dropout == 0
    assert loaded.model.layers[0].self_attn.attention_dropout == 0
    assert hub.weights_hash(loaded.state_dict()) == hub.weights_hash(llama.state_dict())


def test_the_dtype_is_the_one_that_was_asked_for(llama, tmp_path):
    llama.save_pretrained(tmp_path)
    half = hub.load_model("AutoModelForCausalLM", str(tmp_path), dtype=torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


def test_local_files_only_forbids_every_connection_and_says_what_is_missing(monkeypatch, tmp_path):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    complaint = "at 'nobody/nothing' .*local files are allowed only"
    with pytest.raises(ConfigError, match=complaint):
        hub.load_model("AutoModelForCausalLM", "nobody/nothing", local_files_only=True)
    with pytest.raises(ConfigError, match=complaint):
        hub.load_tokenizer("nobody/nothing", local_files_only=True)
    with pytest.raises(ConfigError, match=complaint):
        hub.load_processor("nobody/nothing", local_files_only=True)


def test_an_empty_folder_is_one_clear_sentence(tmp_path):
    with pytest.raises(ConfigError, match="expected files that EncodecModel loads") as error:
        hub.load_model("EncodecModel", str(tmp_path), local_files_only=True)
    assert "\n" not in str(error.value)


def test_files_of_another_architecture_are_an_error(tmp_path):
    config = transformers.T5Config(
        vocab_size=9, d_model=4, d_kv=2, d_ff=4, num_layers=1, num_heads=1
    )
    transformers.T5EncoderModel(config).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="expected files that AutoModelForCausalLM loads"):
        hub.load_model("AutoModelForCausalLM", str(tmp_path), local_files_only=True)


def test_weights_that_are_missing_are_an_error_and_not_made_up(llama, tmp_path):
    llama.model.save_pretrained(tmp_path)  # without the head
    with pytest.raises(ConfigError, match=r"lacks 1 weights of LlamaForCausalLM, such as lm_head"):
        hub.load_model("AutoModelForCausalLM", str(tmp_path), local_files_only=True)


def test_weights_that_are_not_finite_are_an_error(llama, tmp_path):
    llama.lm_head.weight.data[0, 0] = torch.nan
    llama.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"not finite in lm_head\.weight"):
        hub.load_model("AutoModelForCausalLM", str(tmp_path), local_files_only=True)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_is_not_taken_for_a_model(llama, tmp_path):
    llama.save_pretrained(tmp_path / "base")
    base = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "base")
    config = peft.LoraConfig(target_modules=["q_proj"])
    peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(ConfigError, match=r"whole model .* got an adapter over another one"):
        hub.load_model("AutoModelForCausalLM", str(tmp_path / "adapter"), local_files_only=True)


@pytest.mark.parametrize("library", ["transformers", "peft"])
def test_a_library_that_is_not_installed_names_its_extra(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"'{library}'.*pip install 'auralign\[hub\]'"):
        hub.hub_library(library)


def test_a_library_that_lacks_something_itself_says_so_itself(monkeypatch):
    def broken(_: str) -> None:
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setattr(hub.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="other"):
        hub.hub_library("transformers")


def test_dropout_is_off_in_modules_and_in_their_attributes():
    module = nn.Sequential(nn.Dropout(0.3), nn.Dropout1d(0.2))
    module.layerdrop, module.dropout, module.drop_last = 0.1, 0.5, True
    hub.disable_dropout(module)
    assert [part.p for part in module] == [0, 0]
    assert (module.layerdrop, module.dropout, module.drop_last) == (0, 0, True)


def test_the_hash_sees_values_names_shapes_and_dtypes():
    weights = {"a": torch.arange(4.0)}
    others = [
        {"a": torch.tensor([0.0, 1.0, 2.0, 4.0])},
        {"b": torch.arange(4.0)},
        {"a": torch.arange(4.0).view(2, 2)},
        {"a": torch.arange(4.0).view(torch.int32)},
    ]
    hashes = {hub.weights_hash(w) for w in (weights, *others)}
    assert len(hashes) == 5
    assert hub.weights_hash({"a": torch.arange(4.0)}) in hashes
    assert hub.weights_hash({"a": torch.tensor(1.0, dtype=torch.bfloat16)})
