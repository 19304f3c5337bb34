"""Policies in files: opened from a card or its short forms, and saved as a folder with a card."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from auralign.data.study import StudyFolder
from auralign.errors import AuralignError, ConfigError, DataError, did_you_mean
from auralign.files import atomic_dir, write_text
from auralign.policies import hub
from auralign.policies.audio_language_model import AudioLanguagePolicy
from auralign.policies.card import (
    CARD_NAME,
    AudioLanguageCard,
    BuiltInCard,
    Card,
    CausalLmCard,
    CodesByPattern,
    HubCard,
    LoraSettings,
    MusicgenCard,
    PolicyCard,
    PythonCard,
    card_text,
    read_card,
)
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap, tokenizer_prompts
from auralign.policies.language_model import CodecLanguageModel
from auralign.policies.lora import with_lora
from auralign.policies.model_policy import ModelPolicy
from auralign.policies.musicgen import MusicgenPolicy
from auralign.policies.weights import has_adapter, load_adapter, load_weights, save_weights
from auralign.types import Audio, Prompt

_MODEL_TYPES = {"musicgen": "musicgen", "qwen2_audio": "audio-language-model"}
"""Which `model_type` of a config is a kind of its own; all others are causal language models."""


def open_policy(
    where: str | os.PathLike[str] | PolicyCard,
    *,
    local_files_only: bool | None = None,
    device: torch.device | None = None,
) -> ModelPolicy:
    """The policy of a card, in evaluation mode; `where` is a card or what `read_card` takes.

    `local_files_only` goes before the card's, which forbids downloads unless it says otherwise.
    `device` is where the weights are moved to, from the CPU (`devices.device_named`).
    Raises MissingExtraError without the extra `hub`, and ConfigError or DataError, with the file's
    name, for a card that is wrong, files that are missing, weights of another architecture or that
    are not finite, and a factory that makes no policy.
    """
    card = where if isinstance(where, Card) else read_card(where)
    if isinstance(card, HubCard) and local_files_only is not None:
        card = card.model_copy(update={"local_files_only": local_files_only})
    with torch.random.fork_rng():  # transformers draws what it then reads
        policy = _open(card)
    hub.require_finite_weights(policy.model, _origin(card))
    policy.model.eval()
    if device is not None:
        policy.model.to(device)
    return policy


def save_policy(policy: ModelPolicy, folder: str | os.PathLike[str], *, card: PolicyCard) -> None:
    """A folder that `open_policy` opens as the policy with its present weights.

    `card` is that which the policy was opened from. The folder holds whole models of transformers
    as their `save_pretrained` writes them, with the tokenizer; of a model with an adapter the
    adapter alone; of a policy of your own the weights; and a card. What the card leaves where it
    is (the model below an adapter, a Python file, a study) it names by its absolute path. Raises
    StorageError when the folder is there already or the disk refuses; then nothing is written.
    """
    with atomic_dir(folder) as aside:
        write_text(aside / CARD_NAME, card_text(_save(policy, card, aside)))


def _open(card: PolicyCard) -> ModelPolicy:
    policy: ModelPolicy
    match card:
        case PythonCard():
            return _open_own(card)
        case BuiltInCard():
            policy = CodecLanguageModel.load(card.weights)
        case CausalLmCard():
            policy = _open_causal_lm(card)
        case MusicgenCard():
            policy = _open_musicgen(card)
        case AudioLanguageCard():
            policy = _open_audio_language_model(card)
    return _with_adapter(policy, card.lora) if card.lora else policy


def _origin(card: PolicyCard) -> str:
    """Where the card's weights come from, for messages."""
    match card:
        case HubCard():
            return card.model
        case PythonCard(weights=None):
            return f"{card.file}:{card.factory}"
    return str(card.weights)


def _open_causal_lm(card: CausalLmCard) -> CausalCodecPolicy:
    _require_kind(card)
    tokenizer = hub.load_tokenizer(card.model, **_source(card))
    prompt = card.prompt
    policy = CausalCodecPolicy.from_pretrained(
        card.model,
        _token_map(card, tokenizer),
        tokenizer_prompts(tokenizer, prompt.pattern, before=prompt.before, after=prompt.after),
        max_frames=card.max_frames,
        softmax_over=card.softmax_over,
        dtype=getattr(torch, card.dtype),
        **_source(card),
    )
    _require_known_ids(card, policy)
    return policy


def _token_map(card: CausalLmCard, tokenizer: Any) -> TokenMap:
    codes = card.tokens
    if isinstance(codes, CodesByPattern):
        return TokenMap.from_tokenizer(
            tokenizer, codes.patterns, codes.codebook_size, end_token=codes.end_token
        )
    return TokenMap.from_offsets(codes.first_ids, codes.codebook_size, end_id=codes.end_id)


def _require_known_ids(card: CausalLmCard, policy: CausalCodecPolicy) -> None:
    """Raise ConfigError when the prompt is framed by ids beyond the vocabulary."""
    size = policy.model.get_input_embeddings().weight.shape[0]
    highest = max((*card.prompt.before, *card.prompt.after), default=0)
    if highest >= size:
        raise ConfigError(
            f"expected ids around the prompt within the vocabulary of {card.model}, which has "
            f"{size}, got id {highest}: correct `before` and `after` of the card"
        )


def _open_musicgen(card: MusicgenCard) -> MusicgenPolicy:
    _require_kind(card)
    return MusicgenPolicy.from_pretrained(
        card.model, n_frames=card.n_frames, dtype=getattr(torch, card.dtype), **_source(card)
    )


def _open_audio_language_model(card: AudioLanguageCard) -> AudioLanguagePolicy:
    _require_kind(card)
    return AudioLanguagePolicy.from_pretrained(
        card.model,
        _reference_clips(StudyFolder.open(card.study)),
        max_ids=card.max_ids,
        pattern=card.pattern,
        dtype=getattr(torch, card.dtype),
        **_source(card),
    )


def _reference_clips(study: StudyFolder) -> Callable[[Prompt], Audio]:
    """The sound of a prompt: the clip of the study that it names."""
    clips = {clip.id: clip for clip in study.clips()}

    def load(prompt: Prompt) -> Audio:
        if prompt.reference_clip not in clips:
            raise DataError(
                f"prompt '{prompt.id}': expected the id of a clip of {study.path} as its "
                f"reference_clip, got {prompt.reference_clip!r}: add the clip or correct the id"
            )
        return study.audio(clips[prompt.reference_clip])

    return load


def _source(card: HubCard) -> dict[str, Any]:
    return {"revision": card.revision, "local_files_only": card.local_files_only}


def _require_kind(card: HubCard) -> None:
    """Raise ConfigError for a model of another kind, before anything large is loaded."""
    found = hub.load_config(card.model, **_source(card)).model_type
    if _MODEL_TYPES.get(found, "causal-lm") != card.kind:
        raise ConfigError(
            f"expected a model of kind '{card.kind}' at '{card.model}', got one of type '{found}': "
            "choose another model, or the kind of this one"
        )


def _with_adapter(policy: ModelPolicy, settings: LoraSettings) -> ModelPolicy:
    adapted = with_lora(
        policy,
        rank=settings.rank,
        alpha=settings.alpha,
        target_modules=settings.target_modules,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    if settings.weights:
        load_adapter(adapted.model, settings.weights)
        hub.require_finite_weights(adapted.model, str(settings.weights))
    return adapted


def _open_own(card: PythonCard) -> ModelPolicy:
    make = _factory(card)
    with _explained(card.file):
        policy = make()
    if not isinstance(policy, ModelPolicy):
        raise ConfigError(
            f"{card.file}: expected {card.factory} to return a ModelPolicy, got "
            f"{type(policy).__name__}: return the policy"
        )
    if card.weights is not None:
        load_weights(policy.model, card.weights)
    return policy


def _factory(card: PythonCard) -> Callable[[], Any]:
    if not card.file.is_file():
        raise ConfigError(
            f"{card.file}: expected a Python file with the function {card.factory}, but there is "
            "no such file: check the path"
        )
    module = _run(card.file)
    make = getattr(module, card.factory, None)
    if not callable(make):
        hint = did_you_mean(card.factory, vars(module))
        raise ConfigError(
            f"{card.file}: expected a function {card.factory} that makes a policy, got none{hint}: "
            "correct its name"
        )
    return make  # type: ignore[no-any-return]


def _run(file: Path) -> ModuleType:
    """The file as a module."""
    spec = importlib.util.spec_from_file_location(f"auralign_policy_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for the types of their fields
    with _explained(file):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """What the user's own code raises, as a ConfigError with the file's name."""
    try:
        yield
    except AuralignError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{file}: expected code that makes a policy, got {error!r}: correct it"
        ) from error


def _save(policy: ModelPolicy, card: PolicyCard, folder: Path) -> PolicyCard:
    """Write the weights into the folder; the card that opens them from there."""
    if isinstance(card, PythonCard):
        save_weights(policy.model, folder / "weights.safetensors")
        return card.model_copy(update={"weights": Path("weights.safetensors")})
    if has_adapter(policy):
        return card.model_copy(update={"lora": _save_adapter(policy.model, folder)})
    if isinstance(policy, CodecLanguageModel):
        policy.save(folder / "policy.safetensors")
        return BuiltInCard(kind="built-in", weights=Path("policy.safetensors"))
    if isinstance(card, BuiltInCard):
        raise ConfigError(
            f"expected the card that this {type(policy).__name__} was opened from, got one of kind "
            f"'{card.kind}': give the card that `read_card` returned"
        )
    policy.model.save_pretrained(folder / "model")
    _reader(policy, card).save_pretrained(folder / "model")
    return card.model_copy(update={"model": "./model", "revision": None, "lora": None})


def _save_adapter(model: Any, folder: Path) -> LoraSettings:
    """Write the adapter as peft does; what `with_lora` was called with, and the file."""
    # By default peft asks the hub whether the embeddings have grown.
    model.save_pretrained(folder / "adapter", save_embedding_layers=False)
    config = model.peft_config["default"]
    modules = config.target_modules
    return LoraSettings(
        rank=config.r,
        alpha=config.lora_alpha,
        target_modules=modules if isinstance(modules, str) else tuple(sorted(modules)),
        weights=Path("adapter", "adapter_model.safetensors"),
    )


def _reader(policy: ModelPolicy, card: HubCard) -> Any:
    """What makes the model's input of prompts: its tokenizer or processor."""
    match policy:
        case MusicgenPolicy():
            return policy.tokenizer
        case AudioLanguagePolicy():
            return policy.processor
    return hub.load_tokenizer(card.model, **_source(card))
