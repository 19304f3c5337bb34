"""Losses as other code bases write them, against ours with the options that were converted."""

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from auralign.errors import ConfigError
from auralign.losses import OBJECTIVES, Clips, Pairs, Unpaired, sum_scored
from auralign.losses.beta import CONVENTIONS, PER_CODE, convert_beta

CODES = 6


class Side:
    """Clips of one side with `codes` scored codes each: token log-probabilities and their sums."""

    def __init__(self, generator, codes):
        shape = (len(codes), 1, max(codes))
        self.tokens, self.reference = (
            -torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2)
        )
        self.n = torch.tensor(codes)
        self.scored = (torch.arange(max(codes)) < self.n[:, None])[:, None]

    @property
    def logp(self):
        return sum_scored(self.tokens, self.scored)

    @property
    def rho(self):
        return self.logp - sum_scored(self.reference, self.scored)

    def clips(self):
        return Clips(
            logp=self.logp,
            n_codes=self.n,
            reference_logp=sum_scored(self.reference, self.scored),
            token_logps=self.tokens,
            reference_tokens=self.reference,
            scored=self.scored,
        )


def sides(codes_chosen, codes_rejected):
    generator = torch.Generator().manual_seed(1)
    chosen, rejected = (Side(generator, c) for c in (codes_chosen, codes_rejected))
    return chosen, rejected, Side(generator, codes_chosen)


def ours(method, c, r, gold, options):
    """Values of our objective on the same log-probabilities."""
    objective = OBJECTIVES[method]
    if objective.data == "pairs":
        batch = Pairs(c.clips(), r.clips(), gold=gold.clips())
    else:
        joined = Clips(*(torch.cat([getattr(s.clips(), f) for s in (c, r)]) for f in FIELDS))
        desirable = torch.arange(len(joined.logp)) < len(c.n)
        batch = Unpaired(joined, desirable, mismatched=gold.clips())
    return objective.bind(options)(batch).values


FIELDS = ("logp", "n_codes", "reference_logp")


def ls(z):
    return -logsigmoid(z)


def smoothed(z, e):
    return (1 - e) * ls(z) + e * ls(-z)


def mean(side):
    return side.logp / side.n


def hinge(z, beta):
    return torch.relu(1 - beta * z)


def squared(z, beta):
    return (z - 1 / (2 * beta)) ** 2


def robust(z, e):
    return ((1 - e) * ls(z) - e * ls(-z)) / (1 - 2 * e)


def exo(z, e):
    q, p = torch.sigmoid(z), 1 - e
    return q * (q / p).log() + (1 - q) * ((1 - q) / e).log()


def odds(logp):
    return logp - torch.log(1 - logp.exp())


def tail_discounted(side, other, alpha):
    """LD-DPO on one codebook: codes after the length of the shorter clip count alpha."""
    place = torch.arange(side.tokens.shape[-1])
    shared = torch.minimum(side.n, other.n)[:, None, None]
    factor = torch.ones_like(side.tokens).where(place < shared, alpha)
    return ((side.tokens - side.reference) * factor * side.scored).sum((1, 2))


def kto(rw, rl, z, wd=1.0, wu=1.0):
    return torch.cat([wd * (1 - torch.sigmoid(rw - z)), wu * (1 - torch.sigmoid(z - rl))])


def point(rho, beta):
    return (beta * rho.mean()).clamp(min=0)


def shifted(rw, rl):
    shift = (rw.mean() + rl.mean()) / 2
    return torch.cat([ls(rw - shift), ls(shift - rl)])


E = {"label_smoothing": 0.2}
W = {"desirable_weight": 1.3, "undesirable_weight": 0.7}

# Of the log-ratios (or, without a reference, log-probabilities) of both sides, summed or averaged
# as the code base does; `g` are those of the third clips.
ON_RATIOS = {
    "dpo": ({}, lambda c, r, g, b: ls(b * (c - r))),
    "ln_dpo": ({}, lambda c, r, g, b: ls(b * (c - r))),
    "hinge": ({}, lambda c, r, g, b: hinge(c - r, b)),
    "ipo": ({}, lambda c, r, g, b: squared(c - r, b)),
    "cdpo": (E, lambda c, r, g, b: smoothed(b * (c - r), 0.2)),
    "rdpo": (E, lambda c, r, g, b: robust(b * (c - r), 0.2)),
    "exo": (E, lambda c, r, g, b: exo(b * (c - r), 0.2)),
    "nca_pair": ({}, lambda c, r, g, b: ls(b * c) + ls(-b * c) / 2 + ls(-b * r) / 2),
    "sppo_hard": ({}, lambda c, r, g, b: (c - 0.5 / b) ** 2 + (r + 0.5 / b) ** 2),
    "apo_zero": ({}, lambda c, r, g, b: 1 - torch.sigmoid(b * c) + torch.sigmoid(b * r)),
    "apo_down": ({}, lambda c, r, g, b: torch.sigmoid(b * c) + 1 - torch.sigmoid(b * (c - r))),
    "aot_unpaired": (E, lambda c, r, g, b: smoothed(b * (c.sort()[0] - r.sort()[0]), 0.2)),
    "dpop": (
        {"penalty_outside_beta": 3.0},
        lambda c, r, g, b: ls(b * (c - r) - 3 * torch.relu(-c)),
    ),
    "kto": (W, lambda c, r, g, b: kto(b * c, b * r, point(g, b), 1.3, 0.7)),
    "bco": ({}, lambda c, r, g, b: shifted(b * c, b * r)),
    "apo_zero_unpaired": ({}, lambda c, r, g, b: kto(b * c, b * r, 0.0)),
}


def of_ratios(method, *, per_code):
    options, loss = ON_RATIOS[method]

    def theirs(c, r, g, beta):
        return loss(*(side.rho / side.n if per_code else side.rho for side in (c, r, g)), beta)

    return options, theirs


def aot(per_code):
    def theirs(c, r, g, beta):
        n = c.n if per_code else 1
        policy = ((c.logp - r.logp) / n).sort()[0]
        reference = ((c.logp - c.rho - r.logp + r.rho) / n).sort()[0]
        return smoothed(beta * (policy - reference), 0.2)

    return E, theirs


def cpo(per_code, name="alpha"):
    def theirs(c, r, g, beta):
        n = c.n if per_code else 1
        return ls(beta * (c.logp - r.logp) / n) + 0.4 * -mean(c)

    return {name: 0.4}, theirs


def simpo_with_gamma(c, r, g, beta):
    return ls(beta * (mean(c) - mean(r) - 0.8 / beta))


def orpo(c, r, g, beta):
    return -mean(c) + beta * ls(odds(mean(c)) - odds(mean(r)))


def alpha_divergence(rho, a):
    return ((rho * (a - 1)).exp() - 1) / (a - 1)


def alphapo(c, r, g, beta):
    reward = [(1 - mean(side).exp().pow(-0.3)) / 0.3 for side in (c, r)]
    return ls(beta * (reward[0] - reward[1] - 0.8 / beta))


def discopop(c, r, g, beta):
    z = beta * (c.rho - r.rho)
    m = torch.sigmoid(z / 0.3)
    return (1 - m) * ls(z) + m * (-z).exp()


THEIRS = {
    "trl": {
        **{m: of_ratios(m, per_code=False) for m in ON_RATIOS.keys() & CONVENTIONS["trl"].keys()},
        "ipo": of_ratios("ipo", per_code=True),
        "ln_dpo": of_ratios("ln_dpo", per_code=True),
        "aot": aot(per_code=False),
        "discopop": ({"discopop_tau": 0.3}, discopop),
        "fdpo_forward_kl": (
            {},
            lambda c, r, g, b: ls(b * ((1 - (-c.rho).exp()) - (1 - (-r.rho).exp()))),
        ),
        "fdpo_js": ({}, lambda c, r, g, b: ls(b * (logsigmoid(c.rho) - logsigmoid(r.rho)))),
        "fdpo_alpha": (
            {"f_alpha_divergence_coef": 0.7},
            lambda c, r, g, b: ls(
                b * (alpha_divergence(c.rho, 0.7) - alpha_divergence(r.rho, 0.7))
            ),
        ),
        "ld_dpo": (
            {"ld_alpha": 0.4},
            lambda c, r, g, b: ls(b * (tail_discounted(c, r, 0.4) - tail_discounted(r, c, 0.4))),
        ),
        "simpo": ({"simpo_gamma": 0.8}, simpo_with_gamma),
        "alphapo": ({"simpo_gamma": 0.8, "alpha": 0.3}, alphapo),
        "cpo": cpo(per_code=False, name="cpo_alpha"),
        "orpo": ({}, orpo),
        "tpo": ({"tpo_alpha": 0.4}, lambda c, r, g, b: ls(b * (c.logp - r.logp)) - 0.4 * mean(g)),
        "tpo_l": (
            {"tpo_alpha": 0.4, "tpo_l_gamma": 0.8},
            lambda c, r, g, b: simpo_with_gamma(c, r, g, b) - 0.4 * mean(g),
        ),
    },
    "openrlhf": {m: of_ratios(m, per_code=False) for m in ("dpo", "cdpo", "ipo")},
    "direct-preference-optimization": {
        m: of_ratios(m, per_code=False) for m in ("dpo", "cdpo", "ipo")
    },
    "llama-factory": {
        "dpo": of_ratios("dpo", per_code=False),
        "cdpo": ({"dpo_label_smoothing": 0.2}, of_ratios("cdpo", per_code=False)[1]),
        "rpo_sft": ({"pref_ftx": 0.4}, lambda c, r, g, b: ls(b * (c.rho - r.rho)) - 0.4 * mean(c)),
        "ipo": of_ratios("ipo", per_code=True),
        "simpo": ({"simpo_gamma": 0.8}, simpo_with_gamma),
        "orpo": ({}, orpo),
    },
    "simpo": {
        "simpo": ({"gamma_beta_ratio": 0.55}, lambda c, r, g, b: ls(b * (mean(c) - mean(r) - 0.55)))
    },
    "cosyvoice": {m: of_ratios("dpo", per_code=True) for m in ("dpo", "ln_dpo")},
    **{
        source: {
            **{
                m: of_ratios(m, per_code=per_code)
                for m in ON_RATIOS.keys() & CONVENTIONS[source].keys()
            },
            "aot": aot(per_code),
            "cpo": cpo(per_code),
        }
        for source, per_code in (("sums", False), ("means", True))
    },
}

EVERY = [(source, method) for source, methods in CONVENTIONS.items() for method in methods]


@pytest.mark.parametrize("beta", [0.1, 1.7])
@pytest.mark.parametrize(("source", "method"), EVERY)
def test_the_converted_options_give_the_same_loss(source, method, beta):
    """With clips of one length, where sums and means are exchangeable."""
    c, r, gold = sides([CODES] * 4, [CODES] * 4)
    options, theirs = THEIRS[source][method]
    converted = convert_beta(beta, source=source, method=method, mean_codes=CODES, **options)
    torch.testing.assert_close(
        ours(method, c, r, gold, converted), theirs(c, r, gold, beta), rtol=1e-12, atol=1e-12
    )


def crosses(source, method):
    try:
        convert_beta(1.0, source=source, method=method)
    except ConfigError:
        return True
    return False


@pytest.mark.parametrize(("source", "method"), [pair for pair in EVERY if not crosses(*pair)])
def test_where_both_sides_reduce_alike_the_lengths_do_not_matter(source, method):
    c, r, gold = sides([3, 9, 1, 5], [7, 2, 4, 5])
    options, theirs = THEIRS[source][method]
    converted = convert_beta(0.3, source=source, method=method, **options)
    torch.testing.assert_close(
        ours(method, c, r, gold, converted), theirs(c, r, gold, 0.3), rtol=1e-12, atol=1e-12
    )


def test_by_hand():
    # CosyVoice's 0.01 on means over 400 speech tokens, as a beta of sums.
    assert convert_beta(0.01, source="cosyvoice", method="dpo", mean_codes=400) == {
        "beta": pytest.approx(0.000025)
    }
    assert convert_beta(0.01, source="cosyvoice", method="ln_dpo") == {"beta": 0.01}
    assert convert_beta(0.1, source="sums", method="ln_dpo", mean_codes=400) == {
        "beta": pytest.approx(40)
    }
    # The margin of the SimPO paper's Llama-3-Instruct: beta 2.5, ratio 0.55.
    assert convert_beta(2.5, source="simpo", method="simpo", gamma_beta_ratio=0.55) == {
        "beta": 2.5,
        "gamma": pytest.approx(1.375),
    }
    assert convert_beta(0.1, source="trl", method="orpo") == {"weight": 0.1}
    assert convert_beta(0.1, source="trl", method="ipo") == {"beta": 0.1, "per_code": True}
    assert convert_beta(0.1, source="openrlhf", method="ipo") == {"beta": 0.1, "per_code": False}
    assert convert_beta(0.3, source="sums", method="dpop", penalty_outside_beta=15.0) == {
        "beta": 0.3,
        "penalty": pytest.approx(50),
    }


def test_ipo_of_means_and_of_sums_at_the_converted_beta_differ_by_a_scale_only():
    """n^2: the margin where they are least is the same."""
    c, r, gold = sides([CODES] * 3, [CODES] * 3)
    means = ours("ipo", c, r, gold, {"beta": 0.2, "per_code": True})
    sums = ours("ipo", c, r, gold, {"beta": 0.2 / CODES})
    torch.testing.assert_close(means * CODES**2, sums)


def test_objectives_on_means_are_those_of_the_table():
    """A clip with all its codes twice has the same mean, and another sum."""
    c, r, gold = sides([CODES] * 3, [CODES] * 3)
    once = {m: ours(m, c, r, gold, {}) for m in ("dpo", *PER_CODE)}
    for side in (c, r, gold):
        side.tokens, side.reference, side.scored = (
            torch.cat([x, x], -1) for x in (side.tokens, side.reference, side.scored)
        )
        side.n = 2 * side.n
    same = {m for m, values in once.items() if torch.allclose(ours(m, c, r, gold, {}), values)}
    assert same == PER_CODE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "trll"}, r"a source out of trl, .*, got 'trll' \(did you mean 'trl'\?\)"),
        ({"method": "ippo"}, r"a method of trl out of .*, got 'ippo' \(did you mean 'ipo'\?\)"),
        (
            {"method": "simpo", "gamma": 1.0},
            r"simpo of trl takes simpo_gamma beside beta, got 'gamma' \(did you mean 'simpo_gamma",
        ),
        ({"gamma": 1.0}, "dpo of trl takes no option beside beta, got 'gamma'"),
        (
            {"source": "means"},
            "expected mean_codes, because beta belongs to means over codes there",
        ),
        (
            {"source": "sums", "method": "ln_dpo"},
            "beta belongs to sums over codes there and to means in ln_dpo here",
        ),
        ({"source": "means", "mean_codes": 0}, "expected mean_codes above 0, got 0"),
        ({"beta": 0.0}, "expected beta above 0, got 0"),
        ({"beta": math.nan}, "expected beta above 0, got nan"),
    ],
    ids=str,
)
def test_what_cannot_be_converted_is_a_sentence(arguments, message):
    given = {"beta": 0.1, "source": "trl", "method": "dpo", **arguments}
    with pytest.raises(ConfigError, match=message):
        convert_beta(given.pop("beta"), **given)
