"""`auralign align --prompts`: training on own clips, from end to end, on a tiny generator."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from auralign.cli import app
from auralign.cli.console import run
from auralign.policies import (
    CodecLanguageModel,
    PromptVocabulary,
    TransformerConfig,
    new_transformer,
)
from auralign.policies.opening import open_policy
from auralign.types import Prompt

pytestmark = pytest.mark.slow

REWARD = """
import numpy as np

def ones(prompts, clips):
    return np.array([(clip[0] == 1).mean() for clip in clips])

def short(prompts, clips):
    return np.array([-float(clip.shape[1]) for clip in clips])

def nothing(prompts, clips):
    return np.full(len(clips), np.nan)
"""

STAGES = """
- {name: first, combine: weighted, n_updates: 3, weights: {ones: 1}}
- name: then
  combine: lagrangian
  n_updates: 3
  maximise: short
  constraints: [{reward: ones, at_least: 0.5}]
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a policy of two codebooks, prompts, and rewards of codes."""
    monkeypatch.chdir(tmp_path)
    vocabulary = PromptVocabulary(words=("one", "six", "two"), conditions=("ann",), max_words=2)
    config = TransformerConfig(
        n_prompt_tokens=vocabulary.size,
        prompt_length=vocabulary.length,
        n_codebooks=2,
        codebook_size=4,
        max_frames=6,
        width=16,
        depth=1,
        n_heads=2,
    )
    model = new_transformer(config, torch.Generator().manual_seed(0))
    CodecLanguageModel(model, vocabulary).save(Path("policy.safetensors"))
    texts = [f"{one} {two}" for one in ("one", "six", "two") for two in ("one", "six", "two")]
    Path("prompts.csv").write_text("text,condition\n" + "".join(f"{t},ann\n" for t in texts))
    Path("rewards.py").write_text(REWARD)
    Path("stages.yaml").write_text(STAGES)
    return tmp_path


BASE = (
    "align", "--policy", "policy.safetensors", "--prompts", "prompts.csv", "--out", "out",
    "--set", "learning_rate=1e-2", "--set", "warmup_steps=0", "--set", "prompts_per_round=6",
)  # fmt: skip


def ask(capsys, *words):
    """Exit code, what stdout says as JSON where it can be, and stderr."""
    code = run(app, [*words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else None, err


def share_of_ones(policy):
    prompts = [Prompt("p", "one six", "ann")]
    clips = policy.sample(prompts, 200, generator=torch.Generator().manual_seed(1)).tokens
    return np.mean([(clip[0] == 1).mean() for clip in clips])


@pytest.mark.parametrize("method", ["rloo", "grpo", "ppo", "online_dpo", "dpo"])
def test_a_policy_learns_what_the_reward_pays_for(here, capsys, method):
    before = share_of_ones(open_policy("policy.safetensors"))
    words = ("--method", method, "--reward", "rewards.py:ones", "--set", "n_rounds=12")
    code, result, err = ask(capsys, *BASE, *words)
    assert code == 0, err
    assert result["n_rounds"] == 12
    assert share_of_ones(open_policy("out/policy")) > before + 0.3


def test_rewards_come_in_stages(here, capsys):
    words = ("--method", "rloo", "--stages", "stages.yaml")
    code, result, err = ask(
        capsys, *BASE, *words, "--reward", "ones=rewards.py:ones", "--reward",
        "short=rewards.py:short",
    )  # fmt: skip
    assert code == 0, err
    assert result["n_rounds"] == 6
    rows = [json.loads(line) for line in Path("out/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert {"reward/ones", "reward/short"} <= rows[0].keys()


def test_a_stopped_job_goes_on_to_the_same_end(here, capsys, monkeypatch):
    words = (*BASE, "--reward", "rewards.py:ones", "--set", "n_rounds=6", "--set",
             "evaluate_every=2")  # fmt: skip
    _, whole, _ = ask(capsys, *words)
    weights = open_policy("out/policy").weights_hash()
    from auralign.training.online import trainer

    class Stopped(BaseException):
        pass

    real = trainer._Run.evaluate_and_keep

    def stop_after_the_second(self, step):
        real(self, step)
        if step == 4:
            raise Stopped

    monkeypatch.setattr(trainer._Run, "evaluate_and_keep", stop_after_the_second)
    with pytest.raises(Stopped):
        run(app, [*words, "--force"])
    monkeypatch.setattr(trainer._Run, "evaluate_and_keep", real)
    code, again, err = ask(capsys, *words, "--resume")
    assert code == 0, err
    assert open_policy("out/policy").weights_hash() == weights
    assert again["evaluations"] == whole["evaluations"]


def test_clips_that_nobody_can_score_change_nothing(here, capsys):
    before = open_policy("policy.safetensors").weights_hash()
    words = ("--method", "rloo", "--reward", "rewards.py:nothing", "--set", "n_rounds=2")
    code, _, err = ask(capsys, *BASE, *words, "--set", "kl=null")
    assert code == 0, err
    assert open_policy("out/policy").weights_hash() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "training needs --reward"),
        (("--reward", "rewards.py:ones", "--pairs", "f"), "--pairs belongs to training on exam"),
        (("--reward", "rewards.py:absent"), "expected a function absent"),
        (("--reward", "loudness.lufs"), "expected a codec to listen to clips with"),
        (("--reward", "rewards.py:ones", "--method", "kto"), "expected an objective over rollouts"),
        (("--reward", "rewards.py:ones", "--set", "clips_per_prompt=1"), "at least 2"),
        (("--reward", "rewards.py:ones", "--reward", "rewards.py:short"), "how they are combined"),
        (("--reward", "rewards.py:ones", "--reference", "none"), "compares with a reference"),
    ],
)
def test_a_job_that_cannot_be_done_is_one_sentence_and_no_folder(here, capsys, words, said):
    code, _, err = ask(capsys, *BASE, *words)
    assert code == 2
    assert said in err
    assert not Path("out").exists()
