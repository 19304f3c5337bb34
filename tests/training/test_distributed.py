"""Several processes take the steps of one: started as a user starts them, by the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auralign.data.example_files import write_examples
from auralign.data.examples import TokenFeedback, TokenPair

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

ALONE = [sys.executable]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
SHARDED = """\
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
use_cpu: true
num_machines: 1
num_processes: 2
fsdp_config:
  fsdp_version: 2
"""


@pytest.fixture(scope="module")
def files(make_policy, prompts, tmp_path_factory) -> dict[str, Path]:
    """A policy; seven examples, so that a batch of four leaves an odd rest for two processes."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    clips = [rng.integers(4, size=(2, n)) for n in rng.integers(2, 8, size=14)]
    make_policy(seed=1).save(folder / "policy.safetensors")
    pairs = [TokenPair(prompts[i % 2], clips[2 * i], clips[2 * i + 1]) for i in range(7)]
    thumbs = [TokenFeedback(prompts[i % 2], clips[i], i % 3 > 0) for i in range(7)]
    write_examples(pairs, folder / "pairs.jsonl")
    write_examples(thumbs, folder / "thumbs.jsonl")
    (folder / "fsdp.yaml").write_text(SHARDED)
    return {path.stem: path for path in folder.iterdir()}


def losses(launcher: list[str], files, method: str, out: Path, *more: str) -> list[float]:
    """Of every update, as `auralign align` logs them."""
    examples = files["thumbs" if method in ("kto", "bco") else "pairs"]
    words = [
        *("-m", "auralign", "align", "--method", method, "--policy", str(files["policy"])),
        *("--pairs", str(examples), "--out", str(out), "--quiet", "--set", "learning_rate=1e-3"),
        *("--set", "batch_size=4", "--set", "n_epochs=3", *more),
    ]
    done = subprocess.run(
        [*launcher, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "loss" in line]


@pytest.mark.parametrize("method", ["dpo", "aot", "kto", "bco"])
def test_two_processes_have_the_losses_of_one(files, tmp_path, method):
    one = losses(ALONE, files, method, tmp_path / "one")
    two = losses(TWO, files, method, tmp_path / "two")
    assert len(one) == 6
    np.testing.assert_allclose(two, one, rtol=2e-4)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_two_processes_that_share_the_weights_have_the_losses_of_one(files, tmp_path, method):
    launch = [str(Path(sys.executable).parent / "accelerate"), "launch"]
    sharded = [*launch, "--config_file", str(files["fsdp"])]
    parts = ("--set", "frames_per_pass=12")
    one = losses(ALONE, files, method, tmp_path / "one")
    two = losses(sharded, files, method, tmp_path / "two", *parts)
    np.testing.assert_allclose(two, one, rtol=2e-4)
    saved = [tmp_path / name / "policy" / "policy.safetensors" for name in ("one", "two")]
    assert all(path.is_file() for path in saved), os.listdir(tmp_path / "two" / "policy")
