"""Two processes sample a share each and end with the same weights."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

PROGRAM = """\
import json, sys
from pathlib import Path

import numpy as np
import torch

from auralign.policies import CodecLanguageModel
from auralign.training.online import OnlineSettings, by_reward, train_online
from auralign.training.online.methods import RolloutMethod
from auralign.training.processes import started_processes
from auralign.types import Prompt

folder, objective = Path(sys.argv[1]), sys.argv[2]
seen, real = [], RolloutMethod.rollouts


def rollouts(self, samples, rewards):
    found = real(self, samples, rewards)
    advantages = [] if found.advantages is None else found.advantages.tolist()
    seen.append([samples.group.tolist(), rewards.tolist(), advantages,
                 found.scored.sum(-2).tolist()])
    return found


RolloutMethod.rollouts = rollouts
with started_processes() as processes:
    policy = CodecLanguageModel.load(folder / "policy.safetensors")
    prompts = [Prompt(f"p{i}", ("one", "two")[i % 2], "ann") for i in range(6)]
    settings = OnlineSettings(objective=objective, n_rounds=3, prompts_per_round=4,
                              clips_per_prompt=3, learning_rate=1e-2, warmup_steps=0,
                              passes=2, minibatches=2, evaluate_every=1)
    train_online(policy, policy.frozen_copy(), prompts,
                 by_reward(lambda p, clips: np.array([(c == 0).mean() for c in clips])),
                 settings, processes=processes)
    about = {"hash": policy.weights_hash(), "seen": seen}
    (folder / f"{processes.rank}.json").write_text(json.dumps(about))
"""


@pytest.mark.parametrize("objective", ["reinforce_pp", "online_dpo"])
def test_two_processes_end_with_the_same_weights(make_policy, tmp_path, objective):
    policy = make_policy(seed=1)
    policy.save(tmp_path / "policy.safetensors")
    (tmp_path / "program.py").write_text(PROGRAM)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    done = subprocess.run(
        [*launch, str(tmp_path / "program.py"), str(tmp_path), objective],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["hash"] == second["hash"] != policy.weights_hash()
    assert first["seen"] == second["seen"]
    groups, rewards, advantages, n_codes = (np.array(x) for x in first["seen"][0])
    assert np.unique(groups, return_counts=True)[1].tolist() == [3] * 4
    if objective == "reinforce_pp":  # whitened over the codes of both processes' clips
        mean = np.average(advantages, weights=n_codes)
        assert mean == pytest.approx(0, abs=1e-6)
        assert np.average((advantages - mean) ** 2, weights=n_codes) == pytest.approx(1, rel=0.02)
        halves = [np.average(advantages[k], weights=n_codes[k]) for k in (slice(6), slice(6, 12))]
        assert abs(halves[0]) > 1e-3
        assert len(rewards) == 12
