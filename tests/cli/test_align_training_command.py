"""`auralign align` from end to end, on a generator small enough to be trained in a test."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from auralign.audio import as_audio
from auralign.cli import app
from auralign.cli.console import run
from auralign.cli.progress import TrainingProgress
from auralign.data import StudyFolder
from auralign.data.example_files import write_examples
from auralign.data.examples import TokenFeedback, TokenList, TokenPair
from auralign.data.token_files import write_token_archive
from auralign.policies import (
    CodecLanguageModel,
    PromptVocabulary,
    TransformerConfig,
    new_transformer,
)
from auralign.policies.opening import open_policy
from auralign.types import Candidate, Judgement, Outcome, Prompt, Source, TrialProtocol

pytestmark = pytest.mark.slow

PROMPTS = [
    Prompt(f"p{i}", f"{one} {two}", "ann")
    for i, (one, two) in enumerate((a, b) for a in ("one", "two") for b in ("one", "two", "six"))
]
FAST = ("--set", "learning_rate=3e-3", "--set", "warmup_steps=0", "--set", "batch_size=2")


def new_policy(seed: int = 0, n_codebooks: int = 2) -> CodecLanguageModel:
    """Four codes a codebook, clips of at most eight frames."""
    vocabulary = PromptVocabulary(words=("one", "six", "two"), conditions=("ann",), max_words=2)
    config = TransformerConfig(
        n_prompt_tokens=vocabulary.size,
        prompt_length=vocabulary.length,
        n_codebooks=n_codebooks,
        codebook_size=4,
        max_frames=8,
        width=16,
        depth=1,
        n_heads=2,
    )
    model = new_transformer(config, torch.Generator().manual_seed(seed))
    return CodecLanguageModel(model, vocabulary)


def some_clips(n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(4, size=(2, frames)) for frames in rng.integers(2, 8, size=n)]


def some_pairs() -> list[TokenPair]:
    clips = some_clips(12)
    return [TokenPair(p, *clips[2 * i : 2 * i + 2]) for i, p in enumerate(PROMPTS)]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a policy, another one, and examples of each kind."""
    monkeypatch.chdir(tmp_path)
    clips = some_clips(12)
    new_policy(0).save(Path("policy.safetensors"))
    new_policy(1).save(Path("other.safetensors"))
    write_examples(some_pairs(), "pairs.jsonl")
    thumbs = [TokenFeedback(p, clips[i], i % 2 == 0) for i, p in enumerate(PROMPTS)]
    write_examples(thumbs, "thumbs.parquet")
    lists = [TokenList(PROMPTS[i], tuple(clips[3 * i : 3 * i + 3])) for i in range(4)]
    write_examples(lists, "lists.jsonl")
    return tmp_path


@dataclass
class Said:
    """What a command has printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def align(here, capsys) -> Callable[..., Said]:
    def command(*words: str, pairs: str = "pairs.jsonl", out: str = "out") -> Said:
        policy = () if "--policy" in words else ("--policy", "policy.safetensors")
        code = run(app, ["align", *policy, "--pairs", pairs, "--out", out, "--quiet", *words])
        return Said(code, *capsys.readouterr())

    return command


def steps(folder: str = "out") -> list[dict[str, Any]]:
    """What was logged of each update."""
    lines = map(json.loads, Path(folder, "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "loss" in line]


def weights(folder: str = "out") -> bytes:
    return Path(folder, "policy", "policy.safetensors").read_bytes()


def test_a_run_leaves_a_policy_its_measures_and_what_it_found(align):
    said = align("--json", *FAST, "--set", "n_epochs=2")
    assert (said.code, said.err) == (0, "")
    result = json.loads(Path("out/result.json").read_text())
    assert said.document == {**result, "out": "out"}
    assert (result["objective"], result["options"]) == ("dpo", {"beta": 0.1})
    assert (result["n_examples"], result["n_steps"], result["stopped"]) == (6, 6, None)
    assert [line["step"] for line in steps()] == [1, 2, 3, 4, 5, 6]
    assert [e["step"] for e in result["evaluations"]] == [3, 6]
    aligned = open_policy("out/policy")
    assert aligned.weights_hash() != open_policy("policy.safetensors").weights_hash()
    pairs = some_pairs()
    asked = [p.prompt for p in pairs], [p.chosen for p in pairs]
    drift = aligned.sequence_logps(*asked) - new_policy(0).sequence_logps(*asked)
    assert abs(drift).min() > 0
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["seeds"] == {"job": 0}


def test_the_text_says_how_far_it_came_and_where_it_is(align):
    held_out = [
        replace(p, prompt=replace(p.prompt, id=f"h{i}")) for i, p in enumerate(some_pairs())
    ]
    write_examples(held_out, "held_out.jsonl")
    said = align("--held-out", "held_out.jsonl", *FAST)
    lines = said.out.splitlines()
    assert lines[0] == "dpo on 6 examples: 3 steps, weights of step 3 kept."
    assert lines[1].startswith("Of 6 held-out examples ")
    assert lines[2].startswith("Divergence from the reference ")
    assert lines[-1] == "Policy: out/policy"


def test_the_recipe_is_the_job_and_the_same_job_gives_the_same_weights(align):
    for out, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        assert align("--seed", seed, *FAST, out=out).code == 0
    assert weights("one") == weights("two") != weights("three")
    assert steps("one") == steps("two")
    recipes = [Path(out, "recipe.yaml").read_text() for out in ("one", "two", "three")]
    assert recipes[0] == recipes[1] == recipes[2].replace("seed: 4", "seed: 3")


@pytest.mark.parametrize(
    ("method", "examples"),
    [("kto", "thumbs.parquet"), ("bco", "thumbs.parquet"), ("plackett_luce", "lists.jsonl")],
)
def test_thumbs_and_lists_are_trained_on_as_well(align, method, examples):
    said = align("--method", method, "--json", *FAST, pairs=examples)
    assert (said.code, said.document["objective"]) == (0, method)


def test_without_a_reference_nothing_is_compared_with_it(align):
    said = align("--method", "simpo", "--reference", "none", "--json", *FAST)
    assert said.code == 0
    assert not {"kl", "chosen_log_ratio"} & said.document["kept"].keys()
    assert not Path("out/reference.safetensors").exists()


def test_another_reference_is_where_log_ratios_start_from(align):
    align("--reference", "other.safetensors", *FAST)
    assert abs(steps()[0]["chosen_log_ratio"]) > 0.01
    align(*FAST, out="own")
    assert steps("own")[0]["chosen_log_ratio"] == pytest.approx(0, abs=1e-5)


def test_a_share_of_the_prompts_is_held_out(align):
    clips = some_clips(24)
    prompts = [Prompt(f"p{i}", ("one", "two")[i % 2], "ann") for i in range(12)]
    many = [TokenPair(p, *clips[2 * i : 2 * i + 2]) for i, p in enumerate(prompts)]
    write_examples(many, "many.jsonl")
    said = align("--held-out", "0.25", "--json", *FAST, pairs="many.jsonl")
    assert (said.document["n_examples"], said.document["n_held_out"]) == (9, 3)
    assert 0 <= said.document["kept"]["held_out_accuracy"] <= 1


def test_a_share_that_was_asked_for_is_held_out_of_few_prompts_as_well(align):
    said = align("--held-out", "0.5", "--json", *FAST)
    assert (said.document["n_examples"], said.document["n_held_out"]) == (3, 3)


def test_held_out_examples_share_no_prompt_with_the_others(align):
    first = replace(some_pairs()[0], chosen=np.zeros((2, 3), dtype=np.int64))
    write_examples([first], "held_out.jsonl")
    said = align("--held-out", "held_out.jsonl", *FAST)
    assert said.code == 2
    assert "'p0'" in said.err


def test_beyond_the_budget_of_divergence_training_stops_with_the_weights_before(align):
    words = (*FAST, "--set", "learning_rate=1e-3", "--set", "evaluate_every=1")
    said = align("--kl-budget", "0.5", "--json", *words, "--set", "n_epochs=30")
    found = said.document
    assert said.code == 0
    assert found["stopped"].endswith("nats a clip is above the budget of 0.5")
    assert found["evaluations"][-1]["kl_exact"] > 0.5 >= found["kept"]["kl_exact"]
    assert found["kept_step"] == found["n_steps"] - 1 < 89


def test_a_budget_that_the_first_evaluation_breaks_keeps_no_weights_beyond_it(align):
    assert align("--kl-budget", "1e-9", *FAST).code == 0
    result = json.loads(Path("out/result.json").read_text())
    assert result["kept_step"] == 0
    assert open_policy("out/policy").weights_hash() == new_policy(0).weights_hash()


def test_settings_of_a_file_stand_below_those_of_the_command(align):
    Path("training.yaml").write_text(
        "learning_rate: 1e-3\nwarmup_steps: 0\nbatch_size: 3\noptions: {beta: 0.5}\n"
    )
    align("--settings", "training.yaml", "--set", "batch_size=6")
    recipe = Path("out/recipe.yaml").read_text()
    for line in ("learning_rate: 0.001", "batch_size: 6", "beta: 0.5"):
        assert line in recipe
    assert [line["learning_rate"] for line in steps()] == [1e-3]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        # Of TRL, sums: as it is.
        (("--method", "dpo", "--beta-from", "trl", "--option", "beta=0.2"), {"beta": 0.2}),
        # The authors of SimPO give the ratio of the margin to beta.
        (
            ("--method", "simpo", "--beta-from", "simpo", "--option", "beta=2.5",
             "--option", "gamma_beta_ratio=0.5"),
            {"beta": 2.5, "gamma": 1.25},
        ),
        # CosyVoice averages over codes: beta of sums is smaller by their number.
        (
            ("--beta-from", "cosyvoice", "--mean-codes", "20", "--option", "beta=0.01"),
            {"beta": 0.0005},
        ),
    ],
)  # fmt: skip
def test_a_beta_of_another_code_base_is_converted(align, words, options):
    said = align(*words, "--json", *FAST)
    assert said.code == 0
    assert said.document["options"] == pytest.approx(options)


def test_measures_go_to_a_tracker_as_well(align):
    pytest.importorskip("tensorboard")
    assert align("--track", "tensorboard", *FAST).code == 0
    assert list(Path("out/trackers").rglob("events.out.tfevents.*"))


def said_of(prompt: Prompt, clips: list[str], protocol: str, **answer: Any) -> Judgement:
    return Judgement(
        trial=f"{protocol}-{prompt.id}",
        protocol=TrialProtocol(protocol),
        dimension="overall",
        prompt_id=prompt.id,
        candidates=tuple(map(Candidate, clips)),
        rater="simulated-1",
        source=Source.SIMULATED,
        **answer,
    )


@pytest.fixture
def study(here) -> StudyFolder:
    """Two clips of each prompt, of which the second was preferred, liked and ranked first."""
    study = StudyFolder.create("study", name="example", simulated=True)
    noise = np.random.default_rng(0)
    clips = {
        (p.id, system): study.add_audio(
            as_audio(noise.uniform(-0.5, 0.5, 800), 16_000), prompt_id=p.id, system=system
        )
        for p in PROMPTS
        for system in ("sft", "aligned")
    }
    study.write_prompts(PROMPTS)
    study.write_clips(clips.values())
    judgements = []
    for p in PROMPTS:
        two = [clips[p.id, system].id for system in ("sft", "aligned")]
        judgements += [
            said_of(p, two, "pair", outcome=Outcome.B),
            said_of(p, two[:1], "thumbs", rating=0.0, scale=(0.0, 1.0)),
            said_of(p, two[1:], "thumbs", rating=1.0, scale=(0.0, 1.0)),
            said_of(p, two, "ranking", ranking=(1, 0)),
        ]
    study.write_judgements(judgements)
    codes = dict(zip((c.id for c in clips.values()), some_clips(12), strict=True))
    write_token_archive(Path("tokens.npz"), codes)
    return study


@pytest.mark.parametrize(("method", "n"), [("dpo", 6), ("kto", 12), ("plackett_luce", 6)])
def test_a_study_gives_what_the_objective_takes(align, study, method, n):
    said = align("--method", method, "--tokens", "tokens.npz", "--json", *FAST, pairs="study")
    assert (said.code, said.document["n_examples"]) == (0, n)


def test_the_clips_of_a_study_may_name_their_codes(align, study):
    clips = [replace(clip, tokens_path=f"tokens/{clip.id}.npy") for clip in study.clips()]
    (study.path / "tokens").mkdir()
    for clip, codes in zip(clips, some_clips(12), strict=True):
        np.save(study.path / clip.tokens_path, codes)
    study.write_clips(clips)
    assert align(*FAST, pairs="study").code == 0


def test_what_is_held_out_of_a_study_may_be_a_file(align, study):
    clips = some_clips(2)
    write_examples([TokenPair(Prompt("h", "one", "ann"), *clips)], "held_out.jsonl")
    words = ("--dimension", "overall", "--tokens", "tokens.npz", "--held-out", "held_out.jsonl")
    said = align(*words, "--json", *FAST, pairs="study")
    assert said.code == 0, said.err
    assert (said.document["n_examples"], said.document["n_held_out"]) == (6, 1)


def test_a_study_without_codes_or_answers_is_a_sentence(align, study):
    said = align(*FAST, pairs="study")
    assert said.code == 2
    assert "expected codes of 12 judged clips, got none of 12" in said.err
    said = align("--dimension", "clarity", "--tokens", "tokens.npz", *FAST, pairs="study")
    assert said.code == 2
    assert "expected votes on 'clarity', got none" in said.err
    assert not Path("out").exists()


LONG = (*FAST, "--set", "n_epochs=3")


def interrupted_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyboard interrupts the next run at this update."""
    update = TrainingProgress.update

    def interrupt(self, at, n_steps, values):
        update(self, at, n_steps, values)
        if at == step and "loss" in values:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingProgress, "update", interrupt)


@pytest.mark.parametrize(
    ("method", "pairs", "step"),
    [("dpo", "pairs.jsonl", 2), ("dpo", "pairs.jsonl", 5), ("bco", "thumbs.parquet", 7)],
)
def test_an_interrupted_run_goes_on_to_the_same_weights_and_the_same_measures(
    align, monkeypatch, method, pairs, step
):
    words = ("--method", method, *LONG)
    align(*words, pairs=pairs, out="whole")
    with monkeypatch.context() as patch:
        interrupted_after(step, patch)
        assert align(*words, pairs=pairs).code == 130
    assert not Path("out/policy").exists()
    said = align("--resume", "--json", *words, pairs=pairs)
    assert said.code == 0
    assert weights() == weights("whole")
    logs = [Path(out, "metrics.jsonl").read_text() for out in ("out", "whole")]
    assert logs[0] == logs[1]
    whole = json.loads(Path("whole/result.json").read_text())
    assert {**said.document, "seconds": 0} == {**whole, "seconds": 0, "out": "out"}


def test_what_is_measured_on_held_out_thumbs_survives_an_interruption(align, monkeypatch):
    clips = some_clips(8)
    prompts = [Prompt(f"h{i}", "one", "ann") for i in range(4)]
    thumbs = [TokenFeedback(p, clips[i], i % 2 == 0) for i, p in enumerate(prompts)]
    write_examples(thumbs, "held_out.jsonl")
    words = ("--method", "bco", "--held-out", "held_out.jsonl", "--option", "beta=1.0", *LONG)
    align(*words, pairs="thumbs.parquet", out="whole")
    with monkeypatch.context() as patch:
        interrupted_after(7, patch)
        align(*words, pairs="thumbs.parquet")
    align("--resume", *words, pairs="thumbs.parquet")
    losses = [
        [
            e["held_out_loss"]
            for e in json.loads(Path(out, "result.json").read_text())["evaluations"]
        ]
        for out in ("out", "whole")
    ]
    assert losses[0] == losses[1]


def test_a_folder_that_is_there_is_kept_unless_it_is_resumed_or_replaced(align):
    align(*FAST)
    before = weights()
    said = align(*FAST)
    assert said.code == 2
    assert "out is there already: continue it with --resume, replace it with --force" in said.err
    said = align("--resume", *LONG)
    assert said.code == 2
    assert "expected the recipe this run was started with, got another" in said.err
    assert weights() == before
    assert align("--force", *LONG).code == 0
    assert len(steps()) == 9
    assert weights() != before


def test_a_folder_of_something_else_is_never_replaced(align):
    Path("music").mkdir()
    Path("music/song.txt").write_text("la la")
    said = align("--force", *FAST, out="music")
    assert said.code == 2
    assert "music is no run folder, so --force will not remove it" in said.err
    assert Path("music/song.txt").read_text() == "la la"


def test_a_finished_run_is_resumed_to_what_it_was(align):
    align(*FAST)
    before = weights()
    assert align("--resume", *FAST).code == 0
    assert weights() == before


@pytest.fixture
def stopped(align, monkeypatch) -> Callable[..., Said]:
    """Resumes a run that was stopped after its first checkpoint."""
    with monkeypatch.context() as patch:
        interrupted_after(4, patch)
        align(*LONG)
    return lambda: align("--resume", *LONG)


@pytest.mark.parametrize(
    "content",
    [
        b"something else",
        b"",
        b"junk",
        {"key": 1, "state": {}},
        {"weights": {}},
        [1, 2],
    ],
)
def test_a_file_that_is_no_checkpoint_is_a_sentence(stopped, content):
    path = Path("out/checkpoint.pt")
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    said = stopped()
    assert said.code == 2
    assert "out/checkpoint.pt: expected a checkpoint of this training, got another" in said.err
    assert not Path("out/policy").exists()


def test_a_checkpoint_of_another_model_or_other_examples_is_a_sentence(stopped):
    shutil.copy("pairs.jsonl", "kept.jsonl")
    write_examples(some_pairs()[::-1], "pairs.jsonl")
    said = stopped()
    assert said.code == 2
    assert "but it is of another examples: restore what it was" in said.err
    shutil.copy("kept.jsonl", "pairs.jsonl")
    shutil.copy("other.safetensors", "policy.safetensors")
    said = stopped()
    assert said.code == 2
    assert "but it is of another policy, reference: restore what it was" in said.err


ONE = {"id": "p0", "text": "one two", "condition": "ann"}
GOOD = {"prompt": ONE, "chosen": [[0, 1], [2, 3]], "rejected": [[0, 1], [2, 2]]}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"chosen": GOOD["rejected"]}, "line 2: expected two different clips"),
        ({"rejected": [[], []]}, "line 2: rejected: expected at least one frame"),
        ({"rejected": [[0, 4], [1, 1]]}, "rejected: expected codes from 0 to 3, as the policy has"),
        ({"rejected": [[0, -1], [1, 1]]}, "line 2: rejected: expected codes of 0 and more"),
        ({"rejected": [[0] * 9] * 2}, "at most 8 frames, as the policy can make, got 9"),
        ({"rejected": [[0, 1]]}, "line 2: rejected: expected 2 codebooks as in"),
        ({"chosen": [[0, 1, 2], [1, 1]]}, "codebooks of one length, got 3 and 2 frames"),
        ({"weight": float("nan")}, "line 2: weight: expected a finite number of 0 and more"),
        ({"weight": -1}, "line 2: weight: expected a finite number of 0 and more, got -1"),
        ({"prompt": {**ONE, "text": "two"}}, "line 2: prompt: expected what 'p0' stands for"),
        ({"wieght": 1}, "line 2: unknown key 'wieght' (did you mean 'weight'?)"),
        (
            {"prompt": {"id": "x", "text": "ten", "condition": "ann"}},
            "prompt 'x' has the word 'ten', which",
        ),
    ],
)
def test_a_broken_pair_is_one_sentence_and_nothing_is_written(align, changed, sentence):
    rows = [GOOD, {**GOOD, "chosen": [[1, 1], [2, 3]]} | changed]
    Path("broken.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = align(*FAST, pairs="broken.jsonl")
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert not Path("out").exists()


def test_clips_of_another_number_of_codebooks_do_not_fit_the_policy(align):
    new_policy(n_codebooks=1).save(Path("one.safetensors"))
    said = align("--policy", "one.safetensors", *FAST)
    assert said.code == 2
    assert "example 0: chosen: expected 1 codebooks, as the policy has, got 2" in said.err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--policy", "gone.safetensors"), "gone.safetensors: expected a policy written by"),
        (("--pairs", "gone.jsonl"), "gone.jsonl: expected a file of examples"),
        (("--reference", "gone.safetensors"), "gone.safetensors: expected a policy written by"),
        (("--reference", "none"), "objective 'dpo' needs a reference, got 'none'"),
        (("--held-out", "1.5"), "held_out: expected a file or a share from 0 to 1, got 1.5"),
        (("--held-out", "gone.jsonl"), "gone.jsonl: expected a file of examples"),
        (("--held-out", "thumbs.parquet"), "expected a TokenPair as in example 0, got a"),
        (("--kl-budget", "-1"), "kl_budget: expected a value greater than 0, got -1"),
        (("--settings", "gone.yaml"), "gone.yaml: expected a YAML file"),
        (("--set", "learning_rat=1"), "unknown key (did you mean 'learning_rate'?)"),
        (("--set", "learning_rate=-1"), "learning_rate: expected a value greater than 0, got -1"),
        (("--set", "learning_rate=.inf"), "learning_rate: expected a finite number"),
        (("--set", "precision=bf17"), "expected 'fp32' or 'bf16', got the text 'bf17'"),
        (("--set", "n_epochs=[1"), "--set n_epochs line 1: not valid YAML"),
        (("--set", "n_epochs"), "--set takes NAME=VALUE, got 'n_epochs'"),
        (("--beta-from", "trl"), "--beta-from needs the beta"),
        (("--beta-from", "trlx", "--option", "beta=1"), "(did you mean 'trl'?)"),
        (("--beta-from", "cosyvoice", "--option", "beta=1"), "expected mean_codes"),
        (("--method", "dpoo"), "got 'dpoo' (did you mean 'dpo'?)"),
        (("--method", "kto"), "'kto' takes unpaired (TokenFeedback), got TokenPair"),
        (("--method", "odpo"), "has no 'chosen_score', and objective 'odpo' needs scores"),
        (("--option", "betta=1"), "dpo takes beta, got 'betta' (did you mean 'beta'?)"),
        (("--option", "beta=much"), "beta"),
        (("--option", "beta=.nan"), "beta"),
        (("--method", "ipo", "--option", "beta=0"), "beta"),
        (("--set", "betas=[1.5, 0.9]"), "betas"),
        (("--set", "codebook_weights=[1, 1, 1]"), "expected 2 codebook weights"),
        (("--track", "tensorbord"), "(did you mean 'tensorboard'?)"),
        (("--set", "patience=1"), "patience"),
        (("--mean-codes", "20"), "--mean-codes"),
        (("--tokens", "gone.npz"), "gone.npz"),
        (("--dimension", "overall"), "dimension: 'overall' chooses judgements of a study, and"),
        (("--set", "reference_alpha=0.5"), "reference_alpha: expected `reference_every` beside"),
        (("--set", "order=easiest_first"), "'easiest_first' expects scores or votes"),
        (("--device", "cudda"), "device: expected one of auto, cpu, cuda, mps, got 'cudda'"),
    ],
)
def test_a_wrong_word_is_a_sentence_and_nothing_is_written(align, words, sentence):
    said = align(*words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert not Path("out").exists()


def test_with_json_an_error_is_the_document(align):
    said = align("--json", "--set", "learning_rat=1")
    assert said.code == 2
    assert said.document["error"]["type"] == "ConfigError"


def test_a_misspelt_method_does_not_cost_the_run_that_was_there(align):
    align(*FAST)
    before = weights()
    assert align("--force", "--method", "dpoo", *FAST).code == 2
    assert Path("out/policy").exists()
    assert weights() == before


def test_a_default_share_of_a_dozen_thumbs_can_be_held_out(align):
    clips = some_clips(12)
    prompts = [Prompt(f"p{i}", ("one", "two")[i % 2], "ann") for i in range(12)]
    thumbs = [TokenFeedback(p, clips[i], i % 2 == 0) for i, p in enumerate(prompts)]
    write_examples(thumbs, "dozen.jsonl")
    said = align("--method", "kto", *FAST, pairs="dozen.jsonl")
    assert said.code == 0, said.err


def test_a_batch_without_weight_changes_nothing(align):
    weightless = [replace(p, weight=float(i == 0)) for i, p in enumerate(some_pairs())]
    write_examples(weightless, "weightless.jsonl")
    said = align(*FAST, pairs="weightless.jsonl")
    assert said.code == 0, said.err


def test_what_is_missing_is_named(here, capsys):
    assert run(app, ["align", "--policy", "policy.safetensors"]) == 2
    assert "training needs --pairs, --out; to look objectives up" in capsys.readouterr().err


TONES = """
import numpy as np
from auralign.audio import as_audio

class Tones:
    sample_rate, n_codebooks, codebook_size, frame_rate = 8000, 2, 4, 10.0

    def encode(self, audios):
        raise NotImplementedError

    def decode(self, tokens):
        times = np.arange(800) / 8000
        frames = [[0.2 * np.sin(400 * np.pi * (1 + c) * times) for c in clip[0]] for clip in tokens]
        return [as_audio(np.concatenate(clip), 8000) for clip in frames]
"""
"""A codec of two codebooks of four codes, whose clips sound."""


def test_with_a_codec_the_guard_listens_to_held_out_prompts(here, align):
    Path("codec.py").write_text(TONES)
    prompts = [replace(p, id=f"{p.id} {i}") for i in range(4) for p in PROMPTS]
    clips = some_clips(2 * len(prompts))
    pairs = [TokenPair(p, *clips[2 * i : 2 * i + 2]) for i, p in enumerate(prompts)]
    write_examples(pairs, "many.jsonl")
    listening = ("--codec", "codec.py:Tones", *FAST)
    said = align(*listening, "--held-out", "0.4", pairs="many.jsonl")
    assert (said.code, said.err) == (0, "")
    inspection = json.loads(Path("out/guard.jsonl").read_text().splitlines()[-1])
    assert inspection["step"] == len(steps())
    assert inspection["clips"]["duration_s"]["n_prompts"] == 10
    said = align(*listening, "--held-out", "0", out="deaf")
    assert said.code == 2
    assert "the guard listens to at least 8 held-out prompts, got 0" in said.err
    assert not Path("deaf").exists()
