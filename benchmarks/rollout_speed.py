"""Sampling rollouts from a language model over codec tokens: ours against transformers' `generate`.

Both sides sample from one tiny Llama, for the same prompts, all at once. So that both do the same
work, the model itself says when a clip ends: its logit of the end is certain at a length that
belongs to the prompt, and impossible before. Lengths are quantiles of a log-normal distribution,
as those of recordings of utterances, from 20 to 200 codes. A run counts everything from ids of
prompts to ids of clips; the model is made, and each side has run once, before the clock starts.
Runs take turns, so that a busy machine slows both. Tokens are the codes of clips and their ends;
what a side computes for clips that have ended is not work that anybody asked for.

`generate` is called as it comes, with its default cache, and without filters of its own. What it
loses is the copy of its cache at each step, the noise that `multinomial` draws for every word, and
the work on clips that have ended and stay in the batch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.claims import Claim, Report

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

SEED = 0
N_CLIPS, SHORTEST, LONGEST, RUNS = 64, 20, 200, 5
QUICK_RUNS = 1
PROMPT_LENGTH = 9
N_CODES = 4096
BEGIN, END, PAD = N_CODES, N_CODES + 1, N_CODES + 2
MODEL = {
    "vocab_size": PAD + 1,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}
N_THREADS = 1
"""As a stage of auralign has (`docs/decisions/006-one-torch-thread.md`)."""
LIMIT_SECONDS = 110


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    started = time.perf_counter()
    found = _run(QUICK_RUNS if quick else RUNS)
    lengths = clip_lengths()
    runs = len(found["seconds"]["auralign"])
    return Report(
        claims=[_speed_claim(found["seconds"])],
        seeds=[SEED],
        seconds=time.perf_counter() - started,
        sizes={
            "clips": N_CLIPS,
            "tokens": n_tokens(),
            "median length": int(np.median(lengths)),
            "runs": runs,
        },
        details={**found, "transformers": version("transformers")},
    )


def clip_lengths() -> list[int]:
    """Codes of each clip, in an order that has nothing to do with that of the prompts' lengths."""
    middle = np.sqrt(SHORTEST * LONGEST)
    quantiles = (np.arange(N_CLIPS) + 0.5) / N_CLIPS
    normal = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    spread = normal / normal.max() * np.log(LONGEST / middle)
    lengths = (middle * np.exp(spread)).round().astype(int)
    return [int(n) for n in np.random.default_rng(SEED).permutation(lengths)]


def prompt_rows() -> list[list[int]]:
    """Prompts whose lengths are all different: their padding tells the model which is which."""
    rng = np.random.default_rng(SEED + 1)
    lengths = rng.permutation(np.arange(PROMPT_LENGTH, PROMPT_LENGTH + N_CLIPS))
    return [[BEGIN, *rng.integers(N_CODES, size=n - 1).tolist()] for n in lengths]


def n_tokens() -> int:
    return sum(clip_lengths()) + N_CLIPS


def _speed_claim(seconds: Mapping[str, Sequence[float]]) -> Claim:
    middle = {side: median(times) for side, times in seconds.items()}
    how = ", ".join(
        f"{side} {n_tokens() / s:.0f} tokens/s ({s:.2f} s)" for side, s in middle.items()
    )
    n = len(seconds["auralign"])
    how += "; one run each" if n == 1 else f"; medians of {n} runs by turns"
    how += f", {N_THREADS} thread"
    name = f"sampling {N_CLIPS} clips of {SHORTEST} to {LONGEST} codes: tokens/s over generate's"
    return Claim(name, ">=", 3, middle["generate"] / middle["auralign"], how)


def _run(runs: int) -> dict[str, Any]:
    """Both sides in a process of their own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(N_THREADS), "HF_HUB_OFFLINE": "1"}
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.rollout_speed",
        "--runs",
        str(runs),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"sampling ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def take_turns(runs: int) -> dict[str, Any]:
    """Seconds of each run of each side; fewer runs where the machine is too slow for all."""
    import torch

    torch.set_num_threads(N_THREADS)
    model, rows = new_model(), prompt_rows()
    sides: dict[str, Callable[[Any, Any], list[Sequence[int]]]] = {
        "auralign": sample_ours,
        "generate": generate,
    }
    found: dict[str, dict[str, list[float]]] = {
        kind: {side: [] for side in sides} for kind in ("seconds", "processor_seconds")
    }
    started = time.perf_counter()
    for run in range(runs + 1):
        if run > 1 and time.perf_counter() - started > LIMIT_SECONDS * run / (run + 1):
            break
        for side, sample in sides.items():
            clock, processor = time.perf_counter(), time.process_time()
            clips = sample(model, rows)
            times = time.perf_counter() - clock, time.process_time() - processor
            if [len(clip) for clip in clips] != clip_lengths():
                raise RuntimeError(f"{side} made clips of other lengths than the model asks for")
            if run > 0:
                for kind, seconds in zip(found.values(), times, strict=True):
                    kind[side].append(seconds)
    return dict(found)


def new_model() -> LlamaForCausalLM:
    """A Llama that ends each clip at the length that belongs to its prompt."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    longest = max(len(row) for row in prompt_rows())
    last_place = torch.zeros(longest, dtype=torch.int64)
    for row, length in zip(prompt_rows(), clip_lengths(), strict=True):
        last_place[longest - len(row)] = len(row) + length - 1

    class Timed(LlamaForCausalLM):
        def forward(self, *, attention_mask: Any, position_ids: Any, **inputs: Any) -> Any:
            out = super().forward(
                attention_mask=attention_mask, position_ids=position_ids, **inputs
            )
            padding = attention_mask.shape[1] - attention_mask.sum(-1)
            ends = position_ids[:, -1] >= last_place[padding]
            out.logits[:, -1, END] = torch.where(ends, 1e4, -1e4)
            return out

    torch.manual_seed(SEED)
    config = LlamaConfig(
        **MODEL, bos_token_id=BEGIN, eos_token_id=END, pad_token_id=PAD, attn_implementation="sdpa"
    )
    return Timed(config).eval()


def sample_ours(model: LlamaForCausalLM, rows: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    import torch

    from auralign.policies.autoregression import PromptBlock, sample_responses

    possible = torch.tensor([*range(N_CODES), END])
    clips, _ = sample_responses(
        model,
        PromptBlock.of(rows, model.device),
        lambda _: possible,
        end_id=END,
        max_ids=LONGEST + 1,
        temperature=1.0,
        generator=torch.Generator().manual_seed(SEED),
        logits_to_keep=1,
    )
    return [clip.tolist() for clip in clips]


def generate(model: Any, rows: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    import torch

    from auralign.policies.autoregression import PromptBlock

    block = PromptBlock.of(rows, model.device)
    torch.manual_seed(SEED)
    out: torch.Tensor = model.generate(
        block.ids,
        attention_mask=block.attended,
        do_sample=True,
        top_k=0,
        max_new_tokens=LONGEST + 1,
    )
    written = out[:, block.ids.shape[1] :].tolist()
    return [row[: row.index(END)] for row in written]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Both sides of the benchmark, as JSON.")
    parser.add_argument("--runs", type=int, default=RUNS)
    print(json.dumps(take_turns(parser.parse_args().runs)))
