"""The rule book: what goes wrong when a policy is trained on a proxy, and how it shows.

Signatures 1 to 22 are those of `explain.SIGNATURES`; figures are as published.
"""

from __future__ import annotations

from auralign.training.guard import contrasts
from auralign.training.guard.checks import (
    Change,
    First,
    Judge,
    Limit,
    Ratio,
    Share,
    Tail,
    Worst,
)
from auralign.training.guard.rule import Rule

SPEECH = (
    Rule(
        "over-articulation",
        "speech gets slow and over-clear to please a recogniser",
        (3,),
        "Seed-TTS (arXiv 2406.02430): word errors fall under RL at a cost in naturalness",
        Ratio("active_s", "s", high=1.18),
        "bound the duration in the reward; add a reward for natural pace",
    ),
    Rule(
        "hurried speech",
        "words are rushed or left out",
        (3, 22),
        "TuneJury (arXiv 2606.17006): a length alone moves a score, 1 s of the same music by -0.75",
        Ratio("active_s", "s", low=0.85),
        "bound the duration in the reward; look at deletions",
    ),
    Rule(
        "flat prosody",
        "the pitch stops moving",
        (1,),
        "KoCC-TTS (arXiv 2509.18531): CER 2.90 -> 2.20 % under a transcription reward, Elo 1150 "
        "-> 754, narrower log F0",
        Worst(
            (
                Ratio("f0.f0_sd_st", "semitones", low=0.8),
                Ratio("f0.f0_range_st", "semitones", low=0.7),
            )
        ),
        "add pairs that people judged (200 a round were enough there: Elo 1190)",
    ),
    Rule(
        "pauses",
        "pauses inside the speech come or go",
        (1, 3),
        "KoCC-TTS (arXiv 2509.18531), as above; multi-reward GRPO (arXiv 2511.21270) gains most "
        "by a reward for pauses",
        Change("pauses.pause_share", "", low=-0.08, high=0.08),
        "reward a pause plan, or add pairs that people judged",
    ),
    Rule(
        "duration drift",
        "clips get longer or shorter without being asked to",
        (2, 22),
        "TuneJury (arXiv 2606.17006): the same music scores -0.65 at 3 s, -0.10 at 10 s",
        First(
            (
                Ratio("duration_s", "s", low=0.9, high=1.11),
                Limit(("duration_excess",), "", 0.11, 0.25),
            )
        ),
        "compare clips of equal length; normalise the reward by length",
    ),
    Rule(
        "silence padding",
        "silence at the ends or between words",
        (17, 22),
        "TuneJury (arXiv 2606.17006): silence moves a score by -1.05; judges favour padded clips",
        Worst((Change("silence_share", "", high=0.08), Tail("edge_silence_s", "s"))),
        "trim clips before they are scored; look at 'paid for silence'",
    ),
    Rule(
        "clips that do not end",
        "the end is not found and clips run into the limit",
        (2,),
        "KoCC-TTS (arXiv 2509.18531): with a speaker reward added CER 42.63 %, no end, long output",
        First((Share("unended", 0.03), Limit(("ended",), "", 0.97, 0.90, worse=-1))),
        "drop or gate the reward that was added last; take the harmonic mean of rewards",
    ),
    Rule(
        "speaker drift",
        "the voice is no longer the one that was asked for",
        (9,),
        "INTP on F5 (arXiv 2505.04113): similarity 0.615 -> 0.591; CosyVoice 3 (arXiv 2505.17589) "
        "71.8 -> 69.5",
        First(
            (
                Change("speaker_similarity", "", low=-0.02),
                Ratio("f0.f0_median_hz", "Hz", 0.89, 1.12),
            )
        ),
        "put a floor under similarity; ask for it in the pair rule",
    ),
)

SOUND = (
    Rule(
        "loudness",
        "clips get louder or softer",
        (17,),
        "SpeechJudge audit: judges follow +/-3 and +/-6 dB",
        Change("level_dbfs", "dB", low=-1.5, high=1.5),
        "match levels before scoring; look at 'paid for level'",
    ),
    Rule(
        "clipping",
        "flat tops, bought for brightness or level",
        (15,),
        "DiffRO (arXiv 2507.05911): harsh plosives raise the emotion score",
        Worst((Share("clipped", 0.03), Change("crest_db", "dB", low=-2.0))),
        "train the reward on clipped negatives",
    ),
    Rule(
        "clicks",
        "impulses that a reward takes for articulation",
        (15,),
        "DiffRO (arXiv 2507.05911): mouth clicks raise the emotion score",
        Tail("integrity.clicks_per_s", "1/s"),
        "harden the reward: label smoothing, mixup, adversarial negatives (arXiv 2512.04552)",
    ),
    Rule(
        "bandwidth",
        "the top of the spectrum goes",
        (8,),
        "GenSR-Pref (arXiv 2508.17229): what a single metric does not hear gets worse (speaker "
        "similarity only: OVRL 3.294 -> 3.285)",
        Ratio("bandwidth.bandwidth_hz", "Hz", low=0.85),
        "add a signal that hears it to the pair rule",
    ),
)

SAMPLES = (
    Rule(
        "empty output",
        "nothing is said where that is the safe answer",
        (7,),
        "Step-Audio (arXiv 2502.11946): 'did not hear' was only ever among the chosen, and paid",
        Share("empty", 0.01),
        "give these clips to the next round as rejected; never score a failure as 0",
    ),
    Rule(
        "refusal",
        "the policy says that it cannot, on clean input",
        (7,),
        "Step-Audio (arXiv 2502.11946): deaf hacking",
        Share("refused", 0.01),
        "give these clips to the next round as rejected; balance refusals in both sides of pairs",
    ),
    Rule(
        "copying",
        "what was said for another prompt, or in the voice prompt, is said again",
        (2, 9),
        "KoCC-TTS (arXiv 2509.18531): a speaker reward without content, CER 42.63 %",
        Tail("copy_share", ""),
        "add a content term; take the harmonic mean of rewards",
    ),
    Rule(
        "diversity collapse",
        "the policy says everything in one way",
        (11,),
        "SMART (arXiv 2504.16839): diversity collapses when over-trained",
        Worst(
            (
                Ratio("seed_spread", "", low=0.6),
                Limit(("token_entropy_ratio",), "", 0.60, 0.35, worse=-1),
            )
        ),
        "raise the weight of KL; add an entropy term or a reward of sets",
    ),
    Rule(
        "contrast lost",
        "candidates of a prompt score alike, so that pairs teach nothing",
        (19,),
        "a checkpoint tuned for recognition hurts DPO that comes after it",
        Ratio("proxy_spread", "", low=0.5),
        "raise the temperature, draw more candidates, filter by margin",
    ),
    Rule(
        "unscored clips",
        "the reward has no value, which must not count as any number",
        (7,),
        "failures that are mapped to a reward of 0 get chosen where others are negative",
        Share("unscored", 0.01),
        "mask what cannot be scored; look at the reasons",
    ),
)

PREFERENCE = (
    Rule(
        "metric up, preference down",
        "the reward rises and listeners turn away",
        (1, 5),
        "KoCC-TTS (arXiv 2509.18531): Elo 1150 -> 754; MusicRL (arXiv 2402.04229): MOS 3.07 -> "
        "3.54 while MuLan falls .58 -> .55",
        Judge(
            "held_out_preference above 0.5 wherever the proxy rises",
            contrasts.proxy_against_listeners,
        ),
        "go back to the last weights that listeners preferred; do not train on this reward alone",
    ),
    Rule(
        "proxy against held-out reward",
        "the reward that is trained on rises and another one falls",
        (6,),
        "MusicRL (arXiv 2402.04229): beyond 10K steps on quality the user reward falls",
        Judge(
            "held_out not below before, nor its best by 2 errors, while proxy rises",
            contrasts.proxy_against_held_out,
        ),
        "stop at the peak; raise the weight of KL; make a new reward",
    ),
    Rule(
        "decline over rounds",
        "preference peaks and falls, though training goes on",
        (4,),
        "SpeechAlign (arXiv 2404.05600): down at round 4; KoCC-TTS Elo 1096, 1190, 1064; TangoFlux "
        "(arXiv 2412.21037) offline down after 2",
        Judge(
            "held_out_preference (or held_out_accuracy) within 0.02 of its best, alarm beyond 0.05",
            contrasts.decline,
        ),
        "keep the best round; draw fresh pairs from the policy as it is",
    ),
    Rule(
        "one metric alone",
        "the target rises and nothing else does",
        (8,),
        "GenSR-Pref (arXiv 2508.17229): NISQA alone .788 -> .785 SBERT; pairs that agree in all "
        "metrics improve all six",
        Judge(
            "while proxy rises, some other measure gets better or none gets worse",
            contrasts.one_metric_alone,
        ),
        "take pairs that several metrics agree on",
    ),
    Rule(
        "clear but unnatural",
        "word errors fall and people like it less",
        (1, 3),
        "Seed-TTS (arXiv 2406.02430); KoCC-TTS (arXiv 2509.18531)",
        Judge(
            "naturalness (or held_out_preference) does not fall with word_error",
            contrasts.clear_against_natural,
        ),
        "use word errors as a gate, not as a reward",
    ),
    Rule(
        "recogniser gamed",
        "words are clear to one recogniser only",
        (3, 18),
        "Seed-TTS (arXiv 2406.02430): RL on the recogniser that also measures",
        Judge(
            "held_out_word_error falls with word_error, within 2 errors",
            contrasts.recogniser_against_another,
        ),
        "report the recogniser that is not in the reward; put several in it",
    ),
    Rule(
        "distribution moves away",
        "a distance to recordings grows, which people may like",
        (10,),
        "Tango 2 (arXiv 2404.09956): FAD 2.51 -> 2.69 while overall quality rises by .18",
        Judge(
            "distribution_distance_ratio at most 1.07; an alarm where listeners do not prefer it",
            contrasts.distribution_against_listeners,
        ),
        "report both; do not choose a checkpoint by the distance alone",
    ),
)

TRAINING = (
    Rule(
        "KL beyond budget",
        "the policy is further from its reference than was granted",
        (6,),
        "MusicRL (arXiv 2402.04229): less than 2K steps of a user reward bring over-optimisation",
        Limit(("kl_share_of_budget",), "", 0.8, 1.0),
        "stop; raise beta or the weight of KL, or grant more and listen",
    ),
    Rule(
        "likelihood of chosen falling",
        "chosen and rejected clips become less likely together",
        (14,),
        "MPO (arXiv 2509.00685): intelligibility collapses without cross-entropy; CRPO (arXiv "
        "2412.21037): the winner's loss grows",
        Limit(("chosen_log_ratio_per_code",), "nats a code", -0.02, -0.10, worse=-1),
        "raise `anchor_weight`, or take dpop",
    ),
    Rule(
        "chosen clips of others",
        "what is chosen is far from anything that the policy would say",
        (13,),
        "GenSR-Pref (arXiv 2508.17229): recordings as fixed winners, margins explode, collapse; "
        "SpeechAlign (arXiv 2404.05600) gains with them on a weak base",
        Limit(("chosen_off_policy",), "of chosen clips", 0.1, 0.5),
        "sample both sides of a pair from the policy",
        ends=False,
    ),
    Rule(
        "pairs of mixed sources",
        "the two sides of a pair come from different systems",
        (20,),
        "GenSR-Pref (arXiv 2508.17229): pairs of one paradigm are best; INTP (arXiv 2505.04113): "
        "pairs of another model beat own ones",
        Limit(("mixed_source_share",), "of pairs", 0.0, None),
        "record system, checkpoint and sampler of each side; try without",
        ends=False,
    ),
)

REWARD = (
    Rule(
        "proxy and votes",
        "the proxy does not find what listeners choose",
        (5,),
        "MusicRL (arXiv 2402.04229): MuLan finds the preferred clip in 51.6 %, a quality net in "
        "53.3 %, a reward model in 60 %",
        Judge(
            "proxy_accuracy at least 0.60 and surely above 0.50, alarm below 0.55",
            contrasts.proxy_on_votes,
        ),
        "do not train on it; collect votes",
        ends=False,
    ),
    Rule(
        "proxy out of date",
        "the proxy was right about older systems",
        (12,),
        "TuneJury (arXiv 2606.17006): accuracy .709, .551 on votes of the next two months",
        Judge(
            "proxy_accuracy_fresh within 0.05 of proxy_accuracy, alarm beyond 0.10",
            contrasts.proxy_on_fresh_votes,
        ),
        "add about 100 fresh pairs as offsets of systems; date the reward",
        ends=False,
    ),
    Rule(
        "proxy and ladders",
        "the proxy does not put a damaged clip below a whole one",
        (15, 16),
        "TTS-PRISM: agreement .717 -> .150 without degraded samples in training",
        Limit(("proxy_ladder_order",), "of damaged clips in order", 0.9, 0.7, worse=-1),
        "train the reward on degraded negatives before using it",
        ends=False,
    ),
    Rule(
        "paid for level",
        "the proxy changes with gain alone",
        (17,),
        "SpeechJudge audit: +/-3 and +/-6 dB",
        Limit(("proxy_level_effect",), "sd", 0.2, 0.5),
        "match levels before scoring",
        ends=False,
    ),
    Rule(
        "paid for silence",
        "the proxy rises when silence is added, or for silence itself",
        (7, 22),
        "TuneJury (arXiv 2606.17006): silence moves a score by -1.05, which is the right way",
        Worst(
            (
                Limit(("proxy_padding_gain",), "sd", 0.2, 0.5),
                Limit(("proxy_silence_rank",), "", 0.05, 0.25),
            )
        ),
        "trim clips before scoring; leave silent clips without a score",
        ends=False,
    ),
    Rule(
        "text ignored",
        "the proxy scores a clip alike for another prompt",
        (21,),
        "MusicRL (arXiv 2402.04229): a reward model without the text is as accurate",
        Limit(("proxy_text_order",), "of clips prefer their own prompt", 0.6, None, worse=-1),
        "add a signal of its own for what was asked",
        ends=False,
    ),
    Rule(
        "recogniser beyond its use",
        "word errors no longer tell good clips from bad ones",
        (18,),
        "one project: AUC .671 for what natives understand, .625 without the broken system",
        Limit(("word_error_auc",), "", 0.70, None, worse=-1),
        "use word errors as a gate only",
        ends=False,
    ),
)

RULES: tuple[Rule, ...] = (*SPEECH, *SOUND, *SAMPLES, *PREFERENCE, *TRAINING, *REWARD)
