"""Every kind of policy, tiny and with random weights, from its card and back."""

import json
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
import transformers
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from auralign.audio import as_audio
from auralign.data import StudyFolder
from auralign.errors import ConfigError, DataError, MissingExtraError, StorageError
from auralign.policies import CodecLanguageModel
from auralign.policies.card import (
    AudioLanguageCard,
    BuiltInCard,
    CausalLmCard,
    MusicgenCard,
    PythonCard,
    card_text,
    read_card,
)
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap, tokenizer_prompts
from auralign.policies.lora import AdapterOffReference
from auralign.policies.opening import open_policy, save_policy
from auralign.policies.weights import load_weights, save_weights, trainable_parameters
from auralign.types import Prompt

pytestmark = pytest.mark.slow

CODES = [f"<|s_{i}|>" for i in range(6)]
WORDS = ["<pad>", "<unk>", "<end>", "one", "two", "<begin>", *CODES]
PROMPTS = [Prompt("p0", "one two", "ann"), Prompt("p1", "two", "bob")]
TOKENS = {"first_ids": [6, 9], "codebook_size": 3, "end_id": 2}
PATTERNS = {"patterns": ["<|s_{}|>"], "codebook_size": 6, "end_token": "<end>"}
LORA = {"rank": 2, "alpha": 4, "target_modules": ["q_proj", "v_proj"]}

OWN = '''
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from auralign.policies.layouts import append_end, pad_clips
from auralign.policies.model_policy import ModelPolicy, draw


@dataclass(frozen=True, eq=False)
class Unigram(ModelPolicy):
    """Three codes, one after the other, whatever came before."""

    max_frames: int = 4

    def logits(self, prompts, tokens):
        codes, scored = append_end(*pad_clips(tokens), end=3, max_frames=self.max_frames)
        return self.model.weight[0].expand(*codes.shape, 4), codes, scored

    def sample_clips(self, prompts, temperature, generator):
        rows = self.model.weight[0, :3].expand(len(prompts), 3)
        clips = [clip[None, None].numpy() for clip in draw(rows, temperature, generator)]
        return clips, np.ones(len(clips), dtype=bool)


def make(size=4):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Unigram(nn.Linear(size, 1, bias=False))


def make_nothing():
    return make().model


def make_wider():
    return make(5)


def make_error():
    raise ValueError("two\\nlines")


a_number = 3
'''


def tokenizer(**special: str) -> transformers.PreTrainedTokenizerFast:
    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>")
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", **special
    )


def write(folder: Path, model: type, config: transformers.PreTrainedConfig, reader) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model(config).save_pretrained(folder)
    reader.save_pretrained(folder)


def llama_config(vocabulary: int = len(WORDS), width: int = 16) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.3,
    )


def musicgen_config() -> transformers.MusicgenConfig:
    return transformers.MusicgenConfig(
        text_encoder=transformers.T5Config(
            vocab_size=len(WORDS), d_model=12, d_kv=6, d_ff=12, num_layers=1, num_heads=2
        ),
        audio_encoder=transformers.EncodecConfig(
            hidden_size=4,
            num_filters=2,
            upsampling_ratios=[2],
            codebook_size=8,
            sampling_rate=100,
            target_bandwidths=[0.5],
        ),
        decoder=transformers.MusicgenDecoderConfig(
            vocab_size=3,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            ffn_dim=16,
            num_codebooks=2,
            pad_token_id=3,
            bos_token_id=3,
            initializer_factor=0.4,
        ),
    )


CARDS_BY_KIND = {
    "built-in": BuiltInCard,
    "python": PythonCard,
    "causal-lm": CausalLmCard,
    "musicgen": MusicgenCard,
    "audio-language-model": AudioLanguageCard,
}
MARKS = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]


def qwen2_audio_config() -> transformers.Qwen2AudioConfig:
    return transformers.Qwen2AudioConfig(
        audio_config={
            "num_mel_bins": 4,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 8,
            "d_model": 8,
            "max_source_positions": 50,
        },
        text_config=llama_config(len(WORDS) + len(MARKS)).to_dict() | {"model_type": "qwen2"},
        audio_token_index=len(WORDS),
    )


def qwen2_audio_processor() -> transformers.Qwen2AudioProcessor:
    words = tokenizer(eos_token="<end>", additional_special_tokens=MARKS)
    ears = transformers.WhisperFeatureExtractor(feature_size=4, chunk_length=1)
    return transformers.Qwen2AudioProcessor(ears, words)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, make_policy) -> Path:
    """One model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    make_policy(n_codebooks=2).save(folder / "built-in.safetensors")
    (folder / "own.py").write_text(OWN)
    write(folder / "llama", transformers.LlamaForCausalLM, llama_config(), tokenizer())
    write(
        folder / "musicgen",
        transformers.MusicgenForConditionalGeneration,
        musicgen_config(),
        tokenizer(),
    )
    write(
        folder / "qwen2-audio",
        transformers.Qwen2AudioForConditionalGeneration,
        qwen2_audio_config(),
        qwen2_audio_processor(),
    )
    study = StudyFolder.create(folder / "study", name="sounds", simulated=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    study.write_clips([study.add_audio(as_audio(noise, 16_000), prompt_id="p0", system="real")])
    return folder


CAUSAL = {"kind": "causal-lm", "model": "llama", "tokens": TOKENS, "max_frames": 4}
CARDS = {
    "built-in": {"kind": "built-in", "weights": "built-in.safetensors"},
    "built-in with lora": {
        "kind": "built-in",
        "weights": "built-in.safetensors",
        "lora": LORA | {"target_modules": "all-linear"},
    },
    "python": {"kind": "python", "file": "own.py", "factory": "make"},
    "causal-lm": CAUSAL
    | {"prompt": {"pattern": "{text}", "before": [5], "after": [5]}, "softmax_over": "codes"},
    "by pattern": CAUSAL | {"tokens": PATTERNS, "prompt": {"pattern": "{condition} {text}"}},
    "bfloat16": CAUSAL | {"dtype": "bfloat16"},
    "lora": CAUSAL | {"lora": LORA},
    "musicgen": {"kind": "musicgen", "model": "musicgen", "n_frames": 4},
    "musicgen with lora": {"kind": "musicgen", "model": "musicgen", "n_frames": 4, "lora": LORA},
    "audio-language-model": {
        "kind": "audio-language-model",
        "model": "qwen2-audio",
        "study": "study",
        "max_ids": 4,
    },
}


def write_card(path: Path, **keys) -> Path:
    path.write_text(yaml.safe_dump(keys))
    return path


@pytest.fixture
def card_of(folder) -> Callable[..., Path]:
    """The file of a card beside the models; keys of the card may be replaced."""

    def card(name: str, **keys) -> Path:
        return write_card(folder / f"{name}.yaml", **(CARDS[name] | keys))

    return card


def asked(folder: Path) -> list[Prompt]:
    (clip,) = StudyFolder.open(folder / "study").clips()
    return [Prompt(p.id, p.text, p.condition, reference_clip=clip.id) for p in PROMPTS]


def clips_for(policy) -> list[np.ndarray]:
    """Two clips of the length 2 and 3, with codes that all the policies here know."""
    books = getattr(policy, "n_codebooks", 1)
    if isinstance(policy, CodecLanguageModel):
        books = policy.model.config.n_codebooks
    elif isinstance(policy, CausalCodecPolicy):
        books = policy.tokens.n_codebooks
    rng = np.random.default_rng(1)
    return [rng.integers(2, size=(books, n)) for n in (2, 3)]


def logps(policy, prompts: list[Prompt]) -> torch.Tensor:
    with torch.no_grad():
        return policy.token_logps(prompts, clips_for(policy))[0]


def train(policy, prompts: list[Prompt]) -> None:
    """Two steps on everything that is trained; the second also moves what LoRA multiplies by 0."""
    optimiser = torch.optim.SGD(trainable_parameters(policy).values(), lr=0.5)
    for _ in range(2):
        optimiser.zero_grad()
        values, scored = policy.token_logps(prompts, clips_for(policy))
        (-values.sum() / scored.sum()).backward()
        optimiser.step()


@pytest.fixture
def offline(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", CARDS)
def test_a_trained_policy_comes_back_from_its_folder_with_equal_log_probabilities(
    name, folder, card_of, tmp_path
):
    prompts, card = asked(folder), read_card(card_of(name))
    policy = open_policy(card)
    before = logps(policy, prompts)
    train(policy, prompts)
    trained = logps(policy, prompts)
    assert not torch.equal(trained, before)
    save_policy(policy, tmp_path / "new" / "policy", card=card)
    (tmp_path / "new").rename(tmp_path / "moved")
    again = open_policy(tmp_path / "moved" / "policy")
    assert type(again).__name__ == type(policy).__name__
    assert torch.equal(logps(again, prompts), trained)
    rollouts = [
        p.sample(prompts, 2, generator=torch.Generator().manual_seed(3)) for p in (policy, again)
    ]
    for one, other in zip(*(r.tokens for r in rollouts), strict=True):
        np.testing.assert_array_equal(one, other)
    # And once more, now that the card names what was saved.
    save_policy(again, tmp_path / "twice", card=read_card(tmp_path / "moved" / "policy"))
    assert torch.equal(logps(open_policy(tmp_path / "twice"), prompts), trained)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_opens_the_same_policy_each_time_and_in_evaluation_mode(name, card_of):
    state = torch.get_rng_state()
    first, second = (open_policy(card_of(name)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.weights_hash() == second.weights_hash()
    assert not any(module.training for module in first.model.modules())


def test_a_causal_language_model_is_opened_with_everything_that_its_card_says(folder, card_of):
    opened = open_policy(card_of("causal-lm"))
    by_hand = CausalCodecPolicy.from_pretrained(
        str(folder / "llama"),
        TokenMap.from_offsets([6, 9], 3, end_id=2),
        tokenizer_prompts(tokenizer(), before=[5], after=[5]),
        max_frames=4,
        softmax_over="codes",
        local_files_only=True,
    )
    assert opened.encode_prompt(PROMPTS[0]) == [5, 3, 4, 5]
    assert opened.max_frames == 4
    assert torch.equal(logps(opened, PROMPTS), logps(by_hand, PROMPTS))


def test_a_token_map_by_pattern_finds_the_codes_in_the_tokenizer(card_of):
    opened = open_policy(card_of("by pattern"))
    assert opened.tokens.ids.tolist() == [[6, 7, 8, 9, 10, 11]]
    assert opened.tokens.end_id == 2


def test_the_dtype_is_that_of_the_card(card_of, tmp_path):
    card = read_card(card_of("bfloat16"))
    policy = open_policy(card)
    assert {p.dtype for p in policy.model.parameters()} == {torch.bfloat16}
    save_policy(policy, tmp_path / "saved", card=card)
    assert {p.dtype for p in open_policy(tmp_path / "saved").model.parameters()} == {torch.bfloat16}


def test_of_a_model_with_an_adapter_only_the_adapter_is_trained_and_saved(
    card_of, tmp_path, folder
):
    card = read_card(card_of("lora"))
    policy = open_policy(card)
    names = trainable_parameters(policy)
    assert len(names) == 2 * 2 * 2  # A and B of two layers in two blocks
    assert all("lora_" in name for name in names)
    save_policy(policy, tmp_path / "saved", card=card)
    files = {
        p.name for p in (tmp_path / "saved").rglob("*") if p.suffix in (".safetensors", ".yaml")
    }
    assert files == {"policy.yaml", "adapter_model.safetensors"}
    saved = read_card(tmp_path / "saved")
    assert saved.model == str(folder / "llama")
    again = open_policy(saved)
    assert trainable_parameters(again).keys() == names.keys()
    below = open_policy(card_of("lora", lora=None))
    assert torch.equal(
        AdapterOffReference(again).token_logps(PROMPTS, clips_for(again))[0], logps(below, PROMPTS)
    )


def test_the_seed_of_a_card_draws_the_adapter(card_of):
    one, other = (
        open_policy(card_of("lora", lora=LORA | {"seed": seed})).weights_hash() for seed in (1, 2)
    )
    assert one != other


def test_everything_that_requires_a_gradient_is_trainable_by_name(card_of):
    policy = open_policy(card_of("musicgen"))
    names = set(trainable_parameters(policy))
    assert names == {n for n, p in policy.model.named_parameters() if p.requires_grad}
    assert not any(name.startswith(("text_encoder", "audio_encoder")) for name in names)
    assert trainable_parameters(policy.frozen_copy()) == {}


def test_a_file_of_the_built_in_model_and_a_factory_need_no_card(folder, card_of):
    assert read_card(folder / "built-in.safetensors") == read_card(card_of("built-in"))
    assert read_card(f"{folder}/own.py:make") == read_card(card_of("python"))


def test_relative_paths_are_relative_to_the_card_and_not_to_where_one_is(
    folder, card_of, monkeypatch, tmp_path
):
    card_of("causal-lm"), card_of("python")
    monkeypatch.chdir(folder.parent)
    assert read_card(f"{folder.name}/causal-lm.yaml").model == str(folder / "llama")
    assert read_card(f"{folder.name}/own.py:make").file == folder / "own.py"
    monkeypatch.chdir(tmp_path)
    assert read_card(folder / "python.yaml").file == folder / "own.py"


def test_a_name_that_is_no_folder_beside_the_card_is_one_on_the_hub(card_of):
    card = read_card(card_of("causal-lm", model="someone/llama"))
    assert card.model == "someone/llama"
    for missing in ("./nothing", "../nothing", "/nothing/at/all"):
        with pytest.raises(ConfigError, match=r"expected the folder of a model at .*nothing"):
            read_card(card_of("causal-lm", model=missing))


@pytest.mark.usefixtures("offline")
def test_no_card_downloads_unless_it_says_so(card_of, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    card = read_card(card_of("causal-lm", model="nobody/nothing"))
    with pytest.raises(ConfigError, match=r"at 'nobody/nothing' .*local files are allowed only"):
        open_policy(card)
    willing = card.model_copy(update={"local_files_only": False})
    with pytest.raises(ConfigError, match="local files are allowed only"):
        open_policy(willing, local_files_only=True)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_written_as_it_was_read(name, card_of, tmp_path):
    card = read_card(card_of(name))
    (tmp_path / "policy.yaml").write_text(card_text(card))
    assert read_card(tmp_path) == card
    assert card_text(card).startswith("kind: ")


GUIDE = Path(__file__).parents[2] / "docs" / "own-model.md"


def test_the_cards_of_the_guide_are_cards_and_its_table_names_their_keys(tmp_path):
    (tmp_path / "study").mkdir()
    blocks = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL)
    cards = []
    for text in blocks:
        (tmp_path / "policy.yaml").write_text(text)
        cards.append(read_card(tmp_path))
    assert {card.kind for card in cards} == CARDS_BY_KIND.keys() - {"built-in"}
    orpheus = cards[0].tokens
    assert orpheus.first_ids == tuple(128266 + 4096 * book for book in range(7))
    keys = re.findall(r"^\| (`.*?) \|", GUIDE.read_text().split("| key |")[1], flags=re.MULTILINE)
    named = {key for row in keys for key in re.findall(r"`(\w+)`", row)}
    in_cards = {key for card in CARDS_BY_KIND.values() for key in card.model_fields}
    assert named <= in_cards


def test_the_example_is_opened_by_its_factory_and_saved(tmp_path):
    card = read_card(f"{GUIDE.parents[1] / 'examples' / 'align_your_own_model.py'}:make_policy")
    policy = open_policy(card)
    prompts = [Prompt("p0", "0"), Prompt("p1", "1")]
    train(policy, prompts)
    save_policy(policy, tmp_path / "saved", card=card)
    assert torch.equal(logps(open_policy(tmp_path / "saved"), prompts), logps(policy, prompts))


# What is wrong


@pytest.mark.parametrize(
    ("name", "keys", "complaint"),
    [
        ("causal-lm", {"kind": "casual-lm"}, r"kind: expected .*\(did you mean 'causal-lm'\?\)"),
        ("causal-lm", {"max_frame": 3}, r"max_frame: unknown key \(did you mean 'max_frames'\?\)"),
        ("musicgen", {"max_frames": 3}, "max_frames: unknown key"),
        ("causal-lm", {"max_frames": 0}, "max_frames: expected a value greater than or equal to 1"),
        ("causal-lm", {"dtype": "float8"}, "dtype: expected 'float32', 'bfloat16' or 'float16'"),
        ("causal-lm", {"tokens": PATTERNS | {"patterns": []}}, "tokens.patterns: .*at least 1"),
        ("causal-lm", {"tokens": TOKENS | {"end_token": "x"}}, "tokens.end_token: unknown key"),
        ("causal-lm", {"tokens": {"first_ids": [6]}}, "tokens.codebook_size: this key is required"),
        ("causal-lm", {"tokens": 3}, "tokens.*: expected a mapping, got 3"),
        (
            "causal-lm",
            {"prompt": {"pattern": "{words}"}},
            r"no fields but {text}, {condition}, got",
        ),
        ("causal-lm", {"prompt": {"pattern": "{text"}}, "prompt.pattern: expected '}' before end"),
        ("audio-language-model", {"pattern": "{condition}"}, "no fields but {text}, got the text"),
        ("lora", {"lora": LORA | {"rank": 0}}, "lora.rank: expected a value greater"),
        ("python", {"factory": None}, "factory: expected .* got nothing"),
    ],
)
def test_a_wrong_key_is_one_sentence_with_the_place(name, keys, complaint, card_of):
    path = card_of(name, **keys)
    with pytest.raises(ConfigError, match=f"{path.name}: .*{complaint}") as error:
        read_card(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("where", ["nothing.yaml", "llama", "own.py", "llama/config.json", "gone"])
def test_what_is_no_policy_says_what_would_be(where, folder):
    with pytest.raises(ConfigError, match=f"{where}: expected a card such as policy.yaml"):
        open_policy(folder / where)


def test_a_file_that_the_built_in_model_did_not_write_is_an_error(folder, tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        open_policy(tmp_path / "gone.safetensors")
    with pytest.raises(DataError, match=r"expected a policy written by CodecLanguageModel\.save"):
        open_policy(folder / "llama" / "model.safetensors")


@pytest.mark.parametrize(
    ("kind", "model", "found"),
    [
        ("causal-lm", "musicgen", "musicgen"),
        ("causal-lm", "qwen2-audio", "qwen2_audio"),
        ("musicgen", "llama", "llama"),
        ("audio-language-model", "musicgen", "musicgen"),
    ],
)
def test_a_model_of_another_architecture_is_refused_before_it_is_loaded(
    kind, model, found, card_of, monkeypatch
):
    monkeypatch.setattr("auralign.policies.hub.load_model", None)
    with pytest.raises(
        ConfigError, match=rf"kind '{kind}' at '.*{model}', got one of type '{found}'"
    ):
        open_policy(card_of(kind, model=model))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (
            {"tokens": TOKENS | {"codebook_size": 9, "first_ids": [6]}},
            "vocabulary of 12, got id 14",
        ),
        (
            {"tokens": PATTERNS | {"codebook_size": 7}},
            r"got none for 1 of them, such as '<\|s_6\|>'",
        ),
        ({"prompt": {"before": [12]}}, "within the vocabulary of .*llama, which has 12, got id 12"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_an_error(keys, complaint, card_of):
    with pytest.raises(ConfigError, match=complaint):
        open_policy(card_of("causal-lm", **keys))


def test_weights_of_another_vocabulary_size_are_an_error(folder, card_of):
    config = folder / "resized" / "config.json"
    write(folder / "resized", transformers.LlamaForCausalLM, llama_config(), tokenizer())
    config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": 20}))
    with pytest.raises(ConfigError, match="expected files that AutoModelForCausalLM loads at"):
        open_policy(card_of("causal-lm", model="resized"))


def test_an_adapter_of_another_architecture_is_an_error(folder, card_of, tmp_path):
    card = read_card(card_of("lora"))
    save_policy(open_policy(card), tmp_path / "saved", card=card)
    weights = str(tmp_path / "saved" / "adapter" / "adapter_model.safetensors")
    wide = transformers.LlamaForCausalLM
    write(folder / "wide", wide, llama_config(width=32), tokenizer())
    with pytest.raises(
        ConfigError, match=r"with .*lora_A.* of shape \(2, 32\), got 8 .* \(2, 16\)"
    ):
        open_policy(card_of("lora", model="wide", lora=LORA | {"weights": weights}))
    fewer = LORA | {"weights": weights, "target_modules": ["q_proj"]}
    with pytest.raises(
        ConfigError, match=r"the 4 weights of the model, with .*v_proj.* absent, got 8"
    ):
        open_policy(card_of("lora", lora=fewer))
    with pytest.raises(DataError, match="there is no such file"):
        open_policy(card_of("lora", lora=LORA | {"weights": "gone.safetensors"}))


def test_weights_of_another_model_do_not_enter_ones_own(folder, tmp_path):
    card = read_card(f"{folder}/own.py:make")
    save_policy(open_policy(card), tmp_path / "saved", card=card)
    saved = read_card(tmp_path / "saved")
    with pytest.raises(ConfigError, match=r"weight of shape \(1, 5\), got 1 with .* \(1, 4\)"):
        open_policy(saved.model_copy(update={"factory": "make_wider"}))
    save_file({"bias": torch.zeros(4)}, saved.weights)
    with pytest.raises(ConfigError, match="with bias absent, got 1 with bias of shape"):
        open_policy(saved)
    saved.weights.write_bytes(b"damaged")
    with pytest.raises(DataError, match="expected weights in a safetensors file, got something"):
        open_policy(saved)


@pytest.mark.parametrize(
    ("factory", "complaint"),
    [
        ("make_nothing", "expected make_nothing to return a ModelPolicy, got Linear"),
        (
            "make_error",
            r"own\.py: expected code that makes a policy, got ValueError\('two\\nlines'\)",
        ),
        ("mak", r"expected a function mak .* got none \(did you mean 'make'\?\)"),
        ("a_number", "expected a function a_number that makes a policy"),
    ],
)
def test_a_factory_that_makes_no_policy_is_an_error(factory, complaint, folder):
    with pytest.raises(ConfigError, match=complaint):
        open_policy(f"{folder}/own.py:{factory}")


def test_a_file_without_a_policy_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.py: .* there is no such file"):
        open_policy(tmp_path / "gone.py:make")
    (tmp_path / "broken.py").write_text("def make(:")
    with pytest.raises(ConfigError, match=r"broken\.py: expected code .* got SyntaxError"):
        open_policy(tmp_path / "broken.py:make")


@pytest.mark.parametrize("name", ["built-in", "python", "lora"])
def test_weights_that_are_not_finite_are_an_error(name, card_of, tmp_path):
    card = read_card(card_of(name))
    policy = open_policy(card)
    weight = next(iter(trainable_parameters(policy).values()))
    weight.data.view(-1)[0] = torch.nan
    save_policy(policy, tmp_path / "saved", card=card)
    with pytest.raises(ConfigError, match=r"safetensors' has weights that are not finite in"):
        open_policy(tmp_path / "saved")


def test_a_sound_that_is_not_in_the_study_is_an_error(card_of):
    policy = open_policy(card_of("audio-language-model"))
    with pytest.raises(DataError, match=r"prompt 'p0': expected the id of a clip of .*study"):
        policy.token_logps(PROMPTS, clips_for(policy))


@pytest.mark.parametrize("library", ["transformers", "peft"])
def test_a_library_that_is_not_installed_names_its_extra(library, card_of, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"'{library}'.*pip install 'auralign\[hub\]'"):
        open_policy(card_of("lora"))


def test_a_folder_is_there_in_whole_or_not_at_all(card_of, tmp_path, monkeypatch):
    card = read_card(card_of("python"))
    policy = open_policy(card)

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("auralign.policies.opening.card_text", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        save_policy(policy, tmp_path / "saved", card=card)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    save_policy(policy, tmp_path / "saved", card=card)
    with pytest.raises(StorageError, match="is there already"):
        save_policy(policy, tmp_path / "saved", card=card)


def test_a_card_of_another_policy_is_an_error(card_of, folder, tmp_path):
    card = read_card(folder / "built-in.safetensors")
    assert isinstance(card, BuiltInCard)
    with pytest.raises(ConfigError, match="the card that this Unigram was opened from, got one of"):
        save_policy(open_policy(card_of("python")), tmp_path / "saved", card=card)


def test_weights_that_share_memory_are_saved_and_still_share_it_when_loaded(tmp_path):
    def tied() -> nn.ModuleList:
        layers = nn.ModuleList([nn.Embedding(3, 2), nn.Linear(2, 3, bias=False)])
        layers[1].weight = layers[0].weight
        return layers

    one, other = tied(), tied()
    save_weights(one, tmp_path / "tied.safetensors")
    load_weights(other, tmp_path / "tied.safetensors")
    assert torch.equal(other[1].weight, one[0].weight)
    assert other[1].weight is other[0].weight
    assert len(load_file(tmp_path / "tied.safetensors")) == 2
