"""`auralign sample` from end to end, on the built-in policy and codec."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from auralign.audio import as_audio, read_audio
from auralign.cli import app
from auralign.cli.console import run
from auralign.policies import CodecLanguageModel, KMeansCodec, fit_kmeans_codec
from auralign.types import Prompt

pytestmark = pytest.mark.slow

REWARD = """
import numpy as np

def long(prompts, tokens):
    return np.array([float(clip.shape[1]) for clip in tokens])

def never(prompts, tokens):
    return np.full(len(tokens), np.nan)
"""
PROMPTS = [Prompt("a", "one two"), Prompt("b", "two")]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A policy, its codec, prompts and a reward."""
    folder = tmp_path_factory.mktemp("made")
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    audios = [as_audio(rng.uniform(-0.3, 0.3, 8000), 16_000) for _ in range(2)]
    codec = fit_kmeans_codec(
        audios, n_codebooks=1, codebook_size=8, stack=4, n_iterations=2, generator=generator
    )
    codec.save(folder / "codec.npz")
    CodecLanguageModel.new(
        PROMPTS,
        codec.encode(audios),
        codebook_size=8,
        width=16,
        depth=1,
        n_heads=2,
        generator=generator,
    ).save(folder / "policy.safetensors")
    (folder / "prompts.csv").write_text("id,text\na,one two\nb,two\n")
    (folder / "reward.py").write_text(REWARD)
    return folder


@pytest.fixture
def sample(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def command(
        *words: str, reward: str | None = f"{made}/reward.py:long", out: str = "out"
    ) -> Any:
        files = ["--policy", f"{made}/policy.safetensors", "--prompts", f"{made}/prompts.csv"]
        chooses = ["--reward", reward] if reward else []
        code = run(app, ["sample", *files, *chooses, "--out", out, *words])
        return code, *capsys.readouterr()

    return command


def table(folder: str = "out") -> list[dict[str, str]]:
    with Path(folder, "candidates.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_longest_of_eight_clips_is_handed_out(sample):
    code, out, _ = sample("--json")
    assert code == 0
    rows, document = table(), json.loads(out)
    assert (document["n_prompts"], document["n_candidates"]) == (2, 16)
    for i, prompt in enumerate("ab"):
        own = [row for row in rows if row["prompt"] == prompt]
        (chosen,) = [row for row in own if row["chosen"] == "1"]
        codes = np.load(Path("out", chosen["clip"]))
        assert chosen["clip"] == f"clips/000{i}.npy"
        assert codes.shape == (1, int(chosen["frames"]))
        assert float(chosen["score"]) == codes.shape[1] == max(int(row["frames"]) for row in own)
    assert json.loads(Path("out/result.json").read_text()) == {
        key: value for key, value in document.items() if key != "out"
    }


def test_with_a_codec_there_is_audio_of_the_chosen_clips(sample, made):
    words = ("--codec", f"{made}/codec.npz", "--n", "4")
    code, out, _ = sample(*words, reward="integrity.clicks_per_s")
    assert code == 0
    frame_rate = KMeansCodec.load(made / "codec.npz").frame_rate
    assert "Divergence from the policy at most 0.64 nats a clip." in out
    for i in range(2):
        codes, audio = np.load(f"out/clips/000{i}.npy"), read_audio(f"out/clips/000{i}.wav")
        assert audio.duration_s == pytest.approx(codes.shape[1] / frame_rate)


def test_without_a_reward_each_prompt_gets_one_clip(sample):
    code, out, _ = sample(reward=None)
    assert code == 0
    assert out.startswith("2 clips, one for each prompt.")
    assert [(row["prompt"], row["score"], row["chosen"]) for row in table()] == [
        ("a", "", "1"),
        ("b", "", "1"),
    ]
    code, _, err = sample("--n", "4", reward=None, out="other")
    assert code == 2
    assert "reward: expected one to choose by with n, got none" in err


def test_a_plan_is_written_with_what_it_pruned(sample):
    words = ("--segment", "2", "--look-aheads", "3", "--keep", "1")
    assert sample("--method", "plan", *words)[0] == 0
    rows = table()
    assert {row["excluded"] for row in rows} == {"0", "1"}
    assert not [row for row in rows if row["excluded"] == row["chosen"] == "1"]


def test_the_seed_decides_what_is_sampled(sample):
    for out, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        assert sample("--seed", seed, out=out)[0] == 0
    assert table("one") == table("two") != table("three")


def test_the_job_is_written_with_all_of_its_options(sample):
    assert sample("--method", "best-of-mini-n", "--m", "2", "--threshold", "1e9")[0] == 0
    job = yaml.safe_load(Path("out/job.yaml").read_text())
    assert job["options"] == {"m": 2, "max_loops": 4, "threshold": 1e9, "abstain": False}
    assert len(table()) == 2 * 2 * 4


def test_a_guardrail_may_hand_out_nothing(sample):
    words = ("--method", "best-of-mini-n", "--threshold", "1e9", "--abstain")
    code, out, _ = sample(*words)
    assert code == 0
    assert out.startswith("best-of-mini-n by ")
    assert "0 clips for 2 prompts out of 32 candidates" in " ".join(out.split())
    assert list(Path("out/clips").iterdir()) == []


def test_where_nothing_can_be_scored_nothing_is_written(sample, made):
    code, _, err = sample(reward=f"{made}/reward.py:never")
    assert code == 2
    assert "prompt 'a': expected a score for one of its 8 candidates, got none" in err
    assert not Path("out").exists()


def test_what_is_there_is_replaced_only_when_asked_and_only_if_it_is_ours(sample):
    assert sample()[0] == 0
    code, _, err = sample()
    assert code == 2
    assert "out is there already" in err
    assert sample("--force", "--n", "2")[0] == 0
    assert len(table()) == 4
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("text")
    code, _, err = sample("--force", out="mine")
    assert code == 2
    assert "something else without job.yaml" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "best-of-mini-n", "--n", "9"), "options of best-of-mini-n: n: unknown key"),
        (("--n", "0"), "n: expected a value greater than or equal to 1, got 0"),
        (("--temperature", "0"), "temperature: expected a value greater than 0"),
        (("--codec", "nothing.npz"), "nothing.npz: expected a codec written by KMeansCodec.save"),
        (("--reward-option", "x"), "--reward-option takes NAME=VALUE, got 'x'"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(sample, words, said):
    code, _, err = sample(*words)
    assert code == 2
    assert said in err
    assert not Path("out").exists()
