"""TRL's own loss code and ours on one model and one batch: equal to 1e-5, or how far apart and why.

Policy and reference are two random models, so that no log-ratio is zero. TRL computes in float32.
TRL 1.16 has no trainers of BCO and XPO any more; of BCO a pair loss is left.
"""

from dataclasses import dataclass, replace
from importlib import import_module

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch.testing import assert_close
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from auralign.losses import OBJECTIVES, Clips, Pairs, Unpaired, sum_scored
from auralign.losses.unpaired import mismatched_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:You are importing from 'trl.experimental'"),
    # TRL sets this option of transformers by its former name.
    pytest.mark.filterwarnings("ignore:`(is_)?gradient_checkpointing:FutureWarning"),
]

N_CODES = 24
BOS, EOS, PAD = N_CODES, N_CODES + 1, N_CODES + 2
BETA = 0.3


def tiny_model(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=N_CODES + 3,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=BOS,
            eos_token_id=EOS,
            pad_token_id=PAD,
            initializer_range=0.4,
        )
    )
    return model.eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """One character for each code."""
    words = {chr(ord("a") + i): i for i in range(N_CODES)} | {"<s>": BOS, "</s>": EOS, "_": PAD}
    plain = Tokenizer(models.WordLevel(words, unk_token="_"))
    plain.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, bos_token="<s>", eos_token="</s>", pad_token="_"
    )


def written(n: int, seed: int) -> str:
    drawn = torch.randint(N_CODES, (n,), generator=torch.Generator().manual_seed(seed))
    return "".join(chr(ord("a") + i) for i in drawn)


def pairs_of(lengths: list[tuple[int, int]]) -> list[dict[str, str]]:
    """Prompts of 3 to 5 ids; lengths of chosen and rejected clips, the end not counted."""
    return [
        {
            "prompt": written(3 + i % 3, seed=i),
            "chosen": written(w, seed=100 + i),
            "rejected": written(r, seed=200 + i),
            "reference": written(4 + i, seed=300 + i),  # TPO's word for a gold clip
        }
        for i, (w, r) in enumerate(lengths)
    ]


UNEQUAL = [(7, 4), (3, 8), (5, 5), (6, 2)]
EQUAL = [(6, 4), (6, 8), (6, 5), (6, 2)]


def trainer_of(method: str):
    """The trainer and its configuration; imported when asked for, as TRL takes seconds to load."""
    core = method in ("DPO", "KTO")
    room = import_module("trl" if core else f"trl.experimental.{method.lower()}")
    return getattr(room, f"{method}Trainer"), getattr(room, f"{method}Config")


@dataclass(frozen=True)
class Side:
    """A trainer of TRL, the models, and the one batch of its data."""

    trainer: object
    model: LlamaForCausalLM
    reference: LlamaForCausalLM
    batch: dict[str, torch.Tensor]

    @classmethod
    def of(cls, method: str, rows: list[dict], folder, **options) -> "Side":
        from datasets import Dataset

        trainer_type, settings_type = trainer_of(method)
        model, reference = tiny_model(0), tiny_model(1)
        trainer = trainer_type(
            model,
            args=settings_type(
                output_dir=str(folder),
                per_device_train_batch_size=len(rows),
                report_to="none",
                use_cpu=True,
                bf16=False,
                **{"beta": BETA, **options},
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer(),
            **({"ref_model": reference} if method in ("DPO", "KTO") else {}),
        )
        prepared = trainer.train_dataset
        batch = trainer.data_collator([prepared[i] for i in range(len(prepared))])
        return cls(trainer, model, reference, batch)

    def loss(self) -> torch.Tensor:
        return self.trainer.compute_loss(self.model, self.batch)

    def clips(self, ids: torch.Tensor, attended: torch.Tensor, response: torch.Tensor) -> Clips:
        """What our objectives see of rows `[rows, ids]`; plain log-softmax of all logits."""
        scored = response[:, None, 1:].bool()
        tables = [
            model(input_ids=ids, attention_mask=attended).logits[:, None, :-1].log_softmax(-1)
            for model in (self.model, self.reference)
        ]
        policy, reference = (t.gather(-1, ids[:, None, 1:, None])[..., 0] for t in tables)
        return Clips(
            sum_scored(policy, scored),
            scored.sum((-2, -1)),
            sum_scored(reference, scored).detach(),
            token_logps=policy,
            reference_tokens=reference.detach(),
            scored=scored,
            log_collision=torch.logsumexp(2 * tables[0], -1).detach(),
        )


def take(clips: Clips, part: slice) -> Clips:
    return Clips(**{k: None if v is None else v[part] for k, v in vars(clips).items()})


def as_pairs(side: Side) -> Pairs:
    """Of a batch of `[chosen, rejected]`, or `[chosen, rejected, gold]`."""
    found = side.clips(*(side.batch[k] for k in ("input_ids", "attention_mask", "completion_mask")))
    n = len(side.trainer.train_dataset)
    gold = take(found, slice(2 * n, None)) if len(found.logp) > 2 * n else None
    return Pairs(take(found, slice(n)), take(found, slice(n, 2 * n)), gold=gold)


def ours(name: str, batch: Pairs | Unpaired, **options) -> torch.Tensor:
    return OBJECTIVES[name].bind(options)(batch).values.mean()


def gradient(loss: torch.Tensor, model: LlamaForCausalLM) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def assert_equal_with_slope(side: Side, value: torch.Tensor) -> None:
    """Values to 1e-5, and all slopes at the weights to 1e-5 of the largest."""
    theirs = side.loss()
    assert_close(value, theirs, rtol=1e-5, atol=1e-5)
    expected = gradient(theirs, side.model)
    tolerance = 1e-5 * float(expected.abs().max())
    assert_close(gradient(value, side.model), expected, rtol=1e-4, atol=max(tolerance, 1e-7))


SAME_AS_DPO_TRAINER = {
    "dpo": ({"loss_type": ["sigmoid"]}, {}),
    "hinge": ({"loss_type": ["hinge"]}, {}),
    "ipo": ({"loss_type": ["ipo"]}, {"per_code": True}),
    "ln_dpo": ({"loss_type": ["sigmoid_norm"]}, {}),
    "rdpo": ({"loss_type": ["robust"], "label_smoothing": 0.2}, {"label_smoothing": 0.2}),
    "exo": ({"loss_type": ["exo_pair"], "label_smoothing": 0.1}, {"label_smoothing": 0.1}),
    "nca_pair": ({"loss_type": ["nca_pair"]}, {}),
    "sppo_hard": ({"loss_type": ["sppo_hard"]}, {}),
    "aot": ({"loss_type": ["aot"], "label_smoothing": 0.1}, {"label_smoothing": 0.1}),
    "aot_unpaired": (
        {"loss_type": ["aot_unpaired"], "label_smoothing": 0.1},
        {"label_smoothing": 0.1},
    ),
    "apo_zero": ({"loss_type": ["apo_zero"]}, {}),
    "apo_down": ({"loss_type": ["apo_down"]}, {}),
    "discopop": ({"loss_type": ["discopop"], "discopop_tau": 0.3}, {"tau": 0.3}),
    "wpo": ({"use_weighting": True}, {}),
    "ld_dpo": ({"ld_alpha": 0.4}, {"alpha": 0.4}),
    "fdpo_forward_kl": ({"f_divergence_type": "forward_kl"}, {}),
    "fdpo_js": ({"f_divergence_type": "js_divergence"}, {}),
    # TRL's coefficient is 1 less the alpha of the paper.
    "fdpo_alpha": (
        {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7},
        {"alpha": 0.3},
    ),
}


@pytest.mark.parametrize("name", SAME_AS_DPO_TRAINER)
def test_dpo_trainer_has_the_same_value_and_slope(tmp_path, name):
    theirs, options = SAME_AS_DPO_TRAINER[name]
    side = Side.of("DPO", pairs_of(UNEQUAL), tmp_path, **theirs)
    assert_equal_with_slope(side, ours(name, as_pairs(side), beta=BETA, **options))


def test_a_mix_of_losses_is_mpo_where_chosen_clips_are_of_one_length(tmp_path):
    mix = {"loss_type": ["sigmoid", "bco_pair", "sft"], "loss_weights": [0.8, 0.2, 1.0]}
    side = Side.of("DPO", pairs_of(EQUAL), tmp_path, **mix)
    assert_equal_with_slope(side, ours("mpo", as_pairs(side), beta=BETA))


def test_trl_weighs_the_imitated_clips_by_their_length_and_we_do_not(tmp_path):
    """Its supervised term is a mean over the codes of the batch; ours over clips, then codes.

    A batch of ours has the same loss in parts, or with clips added; a mean over codes has not.
    """
    side = Side.of("DPO", pairs_of(UNEQUAL), tmp_path, loss_type=["sigmoid", "sft"])
    batch = as_pairs(side)
    chosen = batch.chosen
    by_codes = -chosen.logp.sum() / chosen.n_codes.sum()
    by_clips = -chosen.mean_logp.mean()
    assert (by_codes - by_clips).abs() > 1e-3
    expected = side.loss() - by_codes + by_clips
    assert_close(ours("rpo_sft", batch, beta=BETA), expected, rtol=1e-5, atol=1e-5)


def test_trl_has_lost_the_label_smoothing_of_dpo_which_is_our_cdpo(tmp_path):
    """Its `sigmoid` ignores the option since its rewrite; the note on cDPO has it."""
    side = Side.of("DPO", pairs_of(UNEQUAL), tmp_path, label_smoothing=0.1)
    batch = as_pairs(side)
    assert_close(ours("dpo", batch, beta=BETA), side.loss(), rtol=1e-5, atol=1e-5)
    smoothed = ours("cdpo", batch, beta=BETA, label_smoothing=0.1)
    # -log s(-z) = -log s(z) + z, so that smoothing adds e z.
    assert_close(smoothed, side.loss() + 0.1 * BETA * batch.margin.mean(), rtol=1e-5, atol=1e-5)


def test_trl_takes_ipo_per_code_and_the_paper_takes_sums(tmp_path):
    side = Side.of("DPO", pairs_of(UNEQUAL), tmp_path, loss_type=["ipo"])
    batch = as_pairs(side)
    paper = (batch.margin - 1 / (2 * BETA)).square().mean()
    assert_close(ours("ipo", batch, beta=BETA), paper)
    assert (paper - side.loss()).abs() > 0.1


def test_trl_has_lost_the_running_shift_of_bco_and_sums_its_two_terms(tmp_path):
    """Without a shift and halved, its pair loss is our mean over chosen and rejected clips."""
    side = Side.of("DPO", pairs_of(UNEQUAL), tmp_path, loss_type=["bco_pair"])
    batch = as_pairs(side)
    both = side.clips(*(side.batch[k] for k in ("input_ids", "attention_mask", "completion_mask")))
    n = len(both.logp) // 2
    feedback = Unpaired(both, torch.arange(2 * n) < n, reward_shift=torch.zeros(()))
    assert_equal_with_slope(side, 2 * ours("bco", feedback, beta=BETA))
    shifted = ours("bco", replace(feedback, reward_shift=None), beta=BETA)
    midpoint = BETA * (batch.chosen.log_ratio.mean() + batch.rejected.log_ratio.mean()) / 2
    assert midpoint.abs() > 0.1
    assert (2 * shifted - side.loss()).abs() > 1e-3


def test_forward_kl_overflows_in_trl_where_ours_goes_on_as_a_line(tmp_path):
    """e^-rho of a clip that has become improbable: infinity less infinity there."""
    side = Side.of("DPO", pairs_of(UNEQUAL), tmp_path, f_divergence_type="forward_kl")
    with torch.no_grad():
        side.model.lm_head.weight.mul_(60)
    assert not side.loss().isfinite()
    assert gradient(ours("fdpo_forward_kl", as_pairs(side), beta=BETA), side.model).isfinite().all()


def thumbs() -> list[dict]:
    """Four clips of four prompts."""
    return [
        {"prompt": written(3 + i, seed=i), "completion": written(n, seed=100 + i), "label": label}
        for i, (n, label) in enumerate([(7, True), (3, False), (5, True), (6, True)])
    ]


def as_feedback(side: Side) -> Unpaired:
    names = ("input_ids", "attention_mask", "completion_mask")
    mismatched = None
    if "KL_input_ids" in side.batch:
        mismatched = side.clips(*(side.batch[f"KL_{k}"] for k in names))
    clips = side.clips(*(side.batch[k] for k in names))
    return Unpaired(clips, torch.as_tensor(side.batch["label"]).bool(), mismatched=mismatched)


@pytest.mark.parametrize(
    ("loss_type", "name", "options"),
    [
        ("kto", "kto", {"desirable_weight": 1.3, "undesirable_weight": 0.7}),
        ("apo_zero_unpaired", "apo_zero_unpaired", {}),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_kto_trainer_has_the_same_value_and_slope(tmp_path, loss_type, name, options, swapped):
    """With policy and reference swapped the divergence has the other sign, and is cut at 0."""
    side = Side.of("KTO", thumbs(), tmp_path, loss_type=loss_type, **options)
    if swapped:
        weights = {name: value.clone() for name, value in side.model.state_dict().items()}
        side.model.load_state_dict(side.reference.state_dict())
        side.reference.load_state_dict(weights)
    assert_equal_with_slope(side, ours(name, as_feedback(side), beta=BETA, **options))


def test_trl_may_match_a_clip_with_its_own_prompt_where_kto_wants_another_one(tmp_path):
    """It turns completions round by one in a batch: pairs that were split stay with their prompt.

    The divergence is to be measured on clips of other prompts (arXiv 2402.01306).
    """
    ids = [i // 2 for i in range(4)]
    rows = [{**row, "prompt": written(3, seed=i)} for i, row in zip(ids, thumbs(), strict=True)]
    side = Side.of("KTO", rows, tmp_path)
    prepared = side.trainer.train_dataset
    completions = prepared["completion_ids"]
    theirs = [completions.index(clip) for clip in prepared["KL_completion_ids"]]
    assert [ids[i] == ids[k] for i, k in enumerate(theirs)] == [False, True, False, True]
    turned = mismatched_rows(torch.tensor(ids)).tolist()
    assert all(ids[i] != ids[k] for i, k in enumerate(turned))


def as_cpo_pairs(side: Side) -> Pairs:
    """Of CPO's and ORPO's batches, which hold labels (-100 at prompts) in place of masks."""
    found = []
    for which in ("chosen", "rejected"):
        ids, attended, labels = (
            side.batch[f"{which}_{k}"] for k in ("input_ids", "attention_mask", "labels")
        )
        found.append(side.clips(ids, attended, labels != -100))
    return Pairs(*found)


SAME_AS_CPO_TRAINER = {
    "cpo": ({"loss_type": "sigmoid", "cpo_alpha": 0.5}, {"beta": BETA, "alpha": 0.5}),
    "simpo": (
        {"loss_type": "simpo", "cpo_alpha": 0.0, "simpo_gamma": 0.4},
        {"beta": BETA, "gamma": 0.4},
    ),
    "alphapo": (
        {"loss_type": "alphapo", "alpha": 0.3, "simpo_gamma": 0.4},
        {"beta": BETA, "alpha": 0.3, "gamma": 0.4},
    ),
    "slic": (
        {"loss_type": "hinge", "cpo_alpha": 0.6, "beta": 1.0},
        {"delta": 1.0, "weight": 0.6},
    ),
}


@pytest.mark.parametrize("name", SAME_AS_CPO_TRAINER)
def test_cpo_trainer_has_the_same_value_and_slope(tmp_path, name):
    """With chosen clips of one length; its supervised term, too, is a mean over codes."""
    theirs, options = SAME_AS_CPO_TRAINER[name]
    side = Side.of("CPO", pairs_of(EQUAL), tmp_path, **theirs)
    assert_equal_with_slope(side, ours(name, as_cpo_pairs(side), **options))


def test_trl_bends_probabilities_of_whole_clips_where_alphapo_is_not_set_to_simpo(tmp_path):
    """With `alpha` and the loss `sigmoid` it takes p of the clip; the paper takes p of a code."""
    side = Side.of(
        "CPO",
        pairs_of(EQUAL),
        tmp_path,
        loss_type="sigmoid",
        cpo_alpha=0.0,
        alpha=0.1,
    )
    batch = as_cpo_pairs(side)
    bent = [(1 - torch.exp(-0.1 * c.logp)) / 0.1 for c in (batch.chosen, batch.rejected)]
    whole = -torch.nn.functional.logsigmoid(BETA * (bent[0] - bent[1])).mean()
    assert_close(side.loss(), whole, rtol=1e-5, atol=1e-5)
    assert (ours("alphapo", batch, beta=BETA, alpha=0.1, gamma=0.0) - whole).abs() > 0.01


def test_orpo_trainer_has_the_same_odds_and_imitates_the_prompt_as_well(tmp_path):
    """Its supervised term runs over prompts; the paper's and ours over the response."""
    side = Side.of("ORPO", pairs_of(EQUAL), tmp_path)
    batch = as_cpo_pairs(side)
    chosen = side.batch["chosen_input_ids"], side.batch["chosen_attention_mask"]
    with_prompt = side.clips(*chosen, chosen[1])
    theirs = -with_prompt.logp.sum() / with_prompt.n_codes.sum()
    response = -batch.chosen.mean_logp.mean()
    assert (theirs - response).abs() > 1e-3
    value = ours("orpo", batch, weight=BETA) - response + theirs
    assert_equal_with_slope(side, value)


@pytest.mark.parametrize(("loss_type", "options"), [("sigmoid", {}), ("tpo-l", {"gamma": 0.4})])
def test_tpo_trainer_has_the_same_contrast_and_weighs_gold_clips_by_their_length(
    tmp_path, loss_type, options
):
    side = Side.of(
        "TPO",
        pairs_of(UNEQUAL),
        tmp_path,
        loss_type=loss_type,
        tpo_alpha=0.5,
        tpo_l_gamma=0.4,
    )
    batch = as_pairs(side)
    by_codes = -batch.gold.logp.sum() / batch.gold.n_codes.sum()
    by_clips = -batch.gold.mean_logp.mean()
    assert (by_codes - by_clips).abs() > 1e-3
    name = "tpo" if loss_type == "sigmoid" else "tpo_l"
    value = ours(name, batch, beta=BETA, alpha=0.5, **options) + 0.5 * (by_codes - by_clips)
    assert_equal_with_slope(side, value)
