"""Aligning a language model over codec tokens by DPO: ours against TRL, each at its best settings.

Both train the same Llama-style model on the same pairs with the same optimiser. Clips have
log-normal lengths (25 codes a second), as recordings of utterances do. A run is a process of its
own, from its start to its end: imports, data, reference and training all count, and so does its
largest memory. Runs take turns, so that a busy machine slows both. Tokens are ids of prompts and
clips, for both sides of a pair and every epoch; padding is not work that anybody asked for.

TRL gets more than it offers: token ids in place of text that it would have to tokenize, and the
fastest of the settings that `python -m benchmarks.align_vs_trl settings` compares.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import numpy as np

from benchmarks.claims import Claim, Report

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

SEED = 0
N_CODES, FIRST_LETTER, N_LETTERS = 4096, 4096, 256
BEGIN, END, PAD = N_CODES + N_LETTERS, N_CODES + N_LETTERS + 1, N_CODES + N_LETTERS + 2
MODEL = {
    "vocab_size": PAD + 1,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 1024,
}
CODES_PER_SECOND, MEDIAN_SECONDS, SIGMA, SECONDS = 25, 6.0, 0.5, (1.0, 20.0)
SIGMA_WITHIN = 0.15
BATCH_SIZE, N_EPOCHS, BETA, RATE, BETAS, MAX_NORM = 8, 3, 0.1, 1e-4, (0.9, 0.95), 1.0
N_PAIRS, RUNS = 128, 3
N_THREADS = 2
TRL_SETTINGS: dict[str, Any] = {
    "precompute_ref_log_probs": True,
    "train_sampling_strategy": "group_by_length",
    "optim": "adamw_torch_fused",
    "gradient_checkpointing": False,
}
TRIED: dict[str, dict[str, Any]] = {
    "as chosen": {},
    "random batches": {"train_sampling_strategy": "random"},
    "no precomputed reference": {"precompute_ref_log_probs": False},
    "reference in batches of 32": {"precompute_ref_batch_size": 32},
    "optimiser not fused": {"optim": "adamw_torch"},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "compiled": {"torch_compile": True},
    "two loaders": {"dataloader_num_workers": 2},
}


class Row(NamedTuple):
    """Ids of a pair as a model reads them; clips end with `END`."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def lengths(self) -> tuple[int, int]:
        """Ids of the prompt with each clip."""
        return tuple(len(self.prompt) + len(clip) for clip in (self.chosen, self.rejected))


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    started = time.perf_counter()
    n_pairs, runs = (32, 1) if quick else (N_PAIRS, RUNS)
    found: dict[str, list[dict[str, Any]]] = {"auralign": [], "trl": []}
    for _ in range(runs):
        for side, results in found.items():
            results.append(_run(side, n_pairs=n_pairs))
    peak = _run("peak")["flop_per_second"]
    claims = [_speed_claim(found, n_pairs), _memory_claim(found), _curve_claim(min(n_pairs, 64))]
    claims.append(_peak_claim(found, n_pairs, peak))
    return Report(
        claims=claims,
        seeds=[SEED],
        seconds=time.perf_counter() - started,
        sizes={"pairs": n_pairs, "epochs": N_EPOCHS, "tokens": n_tokens(n_pairs), "runs": runs},
        details={
            "runs": {
                side: [{k: v for k, v in r.items() if k not in ("losses", "order")} for r in rs]
                for side, rs in found.items()
            }
        },
    )


def rows_of(n_pairs: int) -> list[Row]:
    """Pairs whose two clips differ in length by less than pairs do."""
    rng = np.random.default_rng(SEED)
    return [_row(rng) for _ in range(n_pairs)]


def _row(rng: np.random.Generator) -> Row:
    log_seconds = np.log(MEDIAN_SECONDS) + rng.normal(0, SIGMA) + rng.normal(0, SIGMA_WITHIN, 2)
    lengths = (np.exp(log_seconds).clip(*SECONDS) * CODES_PER_SECOND).astype(int)
    letters = FIRST_LETTER + rng.integers(ord("a"), ord("z") + 1, rng.integers(9, 40))
    chosen, rejected = ([*rng.integers(N_CODES, size=n).tolist(), END] for n in lengths)
    return Row([BEGIN, *letters.tolist()], chosen, rejected)


def n_tokens(n_pairs: int) -> int:
    return N_EPOCHS * sum(sum(row.lengths) for row in rows_of(n_pairs))


def flop(n_pairs: int) -> float:
    """Of matrix products on all ids without padding: each epoch, and the reference once.

    6 for each weight and id (the output layer: each scored id), 2 of them in the forward pass; the
    causal half of attention.
    """
    width, layers = MODEL["hidden_size"], MODEL["num_hidden_layers"]
    body = layers * (4 * width**2 + 3 * width * MODEL["intermediate_size"])
    forward = 0.0
    for row in rows_of(n_pairs):
        for ids, clip in zip(row.lengths, (row.chosen, row.rejected), strict=True):
            attention = layers * 2 * width * ids**2 / 2
            forward += 2 * (body * ids + attention + len(clip) * width * MODEL["vocab_size"])
    return forward * (3 * N_EPOCHS + 1)


def _speed_claim(found: Mapping[str, list[dict[str, Any]]], n_pairs: int) -> Claim:
    seconds = {side: median(r["seconds"] for r in results) for side, results in found.items()}
    rates = {side: n_tokens(n_pairs) / s for side, s in seconds.items()}
    how = ", ".join(f"{side} {rates[side]:.0f} tokens/s ({seconds[side]:.1f} s)" for side in rates)
    name = "DPO of a 4 M model, whole run: auralign's tokens/s over TRL's"
    return Claim(name, ">=", 3, rates["auralign"] / rates["trl"], f"{how}; {_medians(found)}")


def _memory_claim(found: Mapping[str, list[dict[str, Any]]]) -> Claim:
    peaks = {side: median(r["megabytes"] for r in results) for side, results in found.items()}
    how = ", ".join(f"{side} {peak:.0f} MB" for side, peak in peaks.items())
    name = "DPO of a 4 M model: auralign's peak memory over TRL's"
    return Claim(name, "<=", 0.5, peaks["auralign"] / peaks["trl"], f"{how}; {_medians(found)}")


def _curve_claim(n_pairs: int) -> Claim:
    """TRL is given the batches that ours has drawn, in their order."""
    ours = _run("auralign", n_pairs=n_pairs)
    theirs = _run("trl", n_pairs=n_pairs, order=ours["order"])
    curves = np.array([ours["losses"], theirs["losses"]])
    apart = float(np.abs(curves[0] - curves[1]).max())
    how = f"{curves.shape[1]} updates on the same batches, from {curves[0, 0]:.4f} to "
    how += f"{curves[0, -1]:.4f}"
    return Claim("DPO loss of each update: largest distance to TRL's", "<=", 1e-3, apart, how)


def _peak_claim(found: Mapping[str, list[dict[str, Any]]], n_pairs: int, peak: float) -> Claim:
    shares = {
        side: median(flop(n_pairs) / r["training_seconds"] for r in results) / peak
        for side, results in found.items()
    }
    how = f"peak {peak / 1e9:.0f} GFLOP/s in float32; TRL {shares['trl']:.2f}; imports not counted"
    name = "auralign's share of the machine's matmul peak"
    return Claim(name, ">", 0, shares["auralign"], how)


def _medians(found: Mapping[str, list[dict[str, Any]]]) -> str:
    n = len(found["trl"])
    return "one run each" if n == 1 else f"medians of {n} runs by turns"


def _run(side: str, **arguments: Any) -> dict[str, Any]:
    """One side in a process of its own; `seconds` are those from its start to its end."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.align_vs_trl", side]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(N_THREADS),
        # Beside another busy process, threads that spin while they wait slow a run tenfold.
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "TQDM_DISABLE": "1",
    }
    started = time.perf_counter()
    done = subprocess.run(
        [*command, json.dumps(arguments)], env=environment, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{side} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return {"seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}


def new_model() -> LlamaForCausalLM:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(N_THREADS)
    torch.manual_seed(SEED)
    config = LlamaConfig(
        **MODEL, bos_token_id=BEGIN, eos_token_id=END, pad_token_id=PAD, attn_implementation="sdpa"
    )
    return LlamaForCausalLM(config)


def train_ours(n_pairs: int) -> dict[str, Any]:
    from auralign.data.examples import TokenPair
    from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap
    from auralign.training import trainer
    from auralign.training.settings import TrainerSettings
    from auralign.types import Prompt

    started = time.perf_counter()
    rows = rows_of(n_pairs)
    policy = CausalCodecPolicy(
        new_model(),
        TokenMap.from_offsets([0], N_CODES, end_id=END),
        lambda prompt: rows[int(prompt.id)].prompt,
        max_frames=MODEL["max_position_embeddings"],
    )
    pairs = [
        TokenPair(Prompt(str(i), "..."), *(np.array([clip[:-1]]) for clip in row[1:]))
        for i, row in enumerate(rows)
    ]
    settings = TrainerSettings(
        objective="dpo",
        options={"beta": BETA},
        learning_rate=RATE,
        betas=BETAS,
        max_grad_norm=MAX_NORM,
        warmup_steps=0,
        n_epochs=N_EPOCHS,
        batch_size=BATCH_SIZE,
        frames_per_pass=512,
    )
    losses: list[float] = []
    order: list[list[int]] = []

    def batches_of(*arguments: Any) -> list[list[int]]:
        drawn = trainer_batches(*arguments)
        order.extend(drawn)
        return drawn

    trainer_batches = trainer.batches_of
    with mock.patch.object(trainer, "batches_of", batches_of):
        trainer.train(
            policy,
            policy.frozen_copy(),
            pairs,
            settings,
            seed=SEED,
            evaluate=lambda step: {},
            keep="last",
            log=lambda step, values: losses.append(values["loss"]) if "loss" in values else None,
        )
    return {
        "training_seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time(),
        "megabytes": peak_megabytes(),
        "losses": losses,
        "order": order,
    }


def train_trl(
    n_pairs: int, order: Sequence[Sequence[int]] | None = None, **changed: Any
) -> dict[str, Any]:
    """With `order`, batches as they are given, all epochs in one."""
    from datasets import Dataset, disable_progress_bars
    from trl import DPOConfig, DPOTrainer

    disable_progress_bars()
    started = time.perf_counter()
    losses: list[Any] = []

    class Trainer(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
            return dataset

        def compute_loss(self, *arguments: Any, **options: Any) -> Any:
            loss = super().compute_loss(*arguments, **options)
            losses.append(loss.detach())
            return loss

    rows = rows_of(n_pairs)
    settings = {**TRL_SETTINGS, **changed}
    if order is not None:
        rows = [rows[i] for batch in order for i in batch]
        settings["train_sampling_strategy"] = "sequential"
    with tempfile.TemporaryDirectory() as folder:
        arguments = DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=BATCH_SIZE,
            num_train_epochs=1 if order is not None else N_EPOCHS,
            beta=BETA,
            learning_rate=RATE,
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            weight_decay=0.0,
            max_grad_norm=MAX_NORM,
            lr_scheduler_type="constant",
            bf16=False,
            use_cpu=True,
            max_length=None,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=SEED,
            **settings,
        )
        given = {} if settings["precompute_ref_log_probs"] else {"ref_model": new_model().eval()}
        Trainer(
            new_model(),
            args=arguments,
            train_dataset=Dataset.from_list([_columns(row) for row in rows]),
            processing_class=_tokenizer(),
            **given,
        ).train()
    return {
        "training_seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time(),
        "megabytes": peak_megabytes(),
        "losses": [loss.item() for loss in losses],
    }


def _columns(row: Row) -> dict[str, Any]:
    ids = dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), row, strict=True))
    return {**ids, "length": max(row.lengths)}


def _tokenizer() -> Any:
    """TRL wants one for its padding id."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {str(i): i for i in range(MODEL["vocab_size"])}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token=str(PAD))),
        eos_token=str(END),
        pad_token=str(PAD),
    )


def matmul_peak() -> dict[str, float]:
    """The fastest of several sizes and repetitions, float32."""
    import torch

    torch.set_num_threads(N_THREADS)
    best = 0.0
    for n in (256, 512, 1024, 2048):
        a, b = torch.rand(n, n), torch.rand(n, n)
        for _ in range(5):
            repeats = max(1, 2**31 // n**3)
            started = time.perf_counter()
            for _ in range(repeats):
                a @ b
            best = max(best, repeats * 2 * n**3 / (time.perf_counter() - started))
    return {"flop_per_second": best}


def peak_megabytes() -> float:
    """Largest resident memory of this process; of the kernel's account, as a child's `ru_maxrss`
    begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def compare_settings(n_pairs: int) -> dict[str, Any]:
    """Seconds and memory of TRL with each of `TRIED`, or how it failed."""
    found: dict[str, Any] = {}
    for name, changed in TRIED.items():
        try:
            result = _run("trl", n_pairs=n_pairs, **changed)
        except RuntimeError as failure:
            found[name] = str(failure).splitlines()[-1]
        else:
            names = ("seconds", "training_seconds", "processor_seconds", "megabytes")
            found[name] = {k: round(result[k], 1) for k in names}
        print(name, found[name], file=sys.stderr)
    return found


SIDES = {
    "auralign": train_ours,
    "trl": train_trl,
    "peak": matmul_peak,
    "settings": compare_settings,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One side of the benchmark, as JSON.")
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("arguments", nargs="?", type=json.loads, default={"n_pairs": 32})
    asked = parser.parse_args()
    print(json.dumps(SIDES[asked.side](**asked.arguments)))
