"""Tiny language models with random weights and a vocabulary of a few words and codes."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from scipy.stats import chi2

from auralign.errors import ConfigError, DataError
from auralign.policies.autoregression import PromptBlock, response_logits
from auralign.policies.causal_lm import CausalCodecPolicy, TokenMap, tokenizer_prompts
from auralign.types import Prompt, TokenPolicy, Tokens
from pretended_device import require_same_elsewhere

pytestmark = pytest.mark.slow

PROMPTS = [Prompt("p0", "aab"), Prompt("p1", "b"), Prompt("p2", "abababa")]
END = 2


def letters(prompt: Prompt) -> list[int]:
    return [{"a": 3, "b": 4}[letter] for letter in prompt.text]


def llama(vocabulary: int) -> transformers.PreTrainedModel:
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        attention_dropout=0.4,
        initializer_range=0.4,
    )
    return transformers.LlamaForCausalLM(config)


def gpt2(vocabulary: int) -> transformers.PreTrainedModel:
    """With learned absolute positions, which padding on the left would shift."""
    config = transformers.GPT2Config(
        vocab_size=vocabulary,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=32,
        initializer_range=0.4,
        bos_token_id=0,
        eos_token_id=END,
    )
    return transformers.GPT2LMHeadModel(config)


def make_policy(
    make: Callable[[int], transformers.PreTrainedModel] = llama,
    *,
    n_codebooks: int = 2,
    codebook_size: int = 3,
    max_frames: int = 4,
    softmax_over: str = "vocabulary",
) -> CausalCodecPolicy:
    """Codes begin at id 6, one id is between the codebooks."""
    first = [6 + book * (codebook_size + 1) for book in range(n_codebooks)]
    tokens = TokenMap.from_offsets(first, codebook_size, end_id=END)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make(first[-1] + codebook_size)
    return CausalCodecPolicy(model, tokens, letters, max_frames, softmax_over)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_clips(policy: CausalCodecPolicy, *lengths: int) -> list[Tokens]:
    rng, tokens = np.random.default_rng(1), policy.tokens
    return [rng.integers(tokens.codebook_size, size=(tokens.n_codebooks, n)) for n in lengths]


def written(policy: CausalCodecPolicy, clip: Tokens) -> list[int]:
    """The ids of a clip and of its end, by the definition of the flat layout."""
    n = clip.shape[1]
    ids = [int(policy.tokens.ids[k, clip[k, t]]) for t in range(n) for k in range(len(clip))]
    return [*ids, END] if n < policy.max_frames else ids


def one_id_at_a_time(policy: CausalCodecPolicy, prompt: Prompt, clip: Tokens) -> list[float]:
    """Read the next id's log-probability after each prefix, without padding, batch or cache."""
    before, logps = list(policy.encode_prompt(prompt)), []
    for i, new in enumerate(written(policy, clip)):
        with torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([before])).logits[0, -1]
        book, frame = i % policy.tokens.n_codebooks, i // policy.tokens.n_codebooks
        may_come = policy.tokens.ids[book].tolist() + ([END] if book == 0 and frame > 0 else [])
        among = logits if policy.softmax_over == "vocabulary" else logits[may_come]
        logps.append((logits[new] - among.logsumexp(0)).item())
        before.append(new)
    return logps


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize("softmax_over", ["vocabulary", "codes"])
def test_log_probabilities_equal_reading_one_id_at_a_time(make, softmax_over):
    policy = make_policy(make, softmax_over=softmax_over)
    assert isinstance(policy, TokenPolicy)
    clips = random_clips(policy, 2, 4, 1)
    logps, scored = policy.token_logps(PROMPTS, clips)
    assert logps.shape == scored.shape == (3, 2, 5)
    for prompt, clip, row, mask in zip(PROMPTS, clips, logps, scored, strict=True):
        slow = one_id_at_a_time(policy, prompt, clip)
        in_order = row.T[mask.T]
        np.testing.assert_allclose(in_order.detach(), slow, rtol=2e-5, atol=1e-5)
        assert not row[~mask].any()


def test_the_sft_loss_is_the_models_own_loss_on_the_codes_and_the_end():
    policy = make_policy()
    clips = random_clips(policy, 2, 4, 1)
    rows = [(letters(p), written(policy, c)) for p, c in zip(PROMPTS, clips, strict=True)]
    longest = max(len(p) + len(c) for p, c in rows)
    ids = [p + c + [0] * (longest - len(p) - len(c)) for p, c in rows]
    labels = [[-100] * len(p) + c + [-100] * (longest - len(p) - len(c)) for p, c in rows]
    own = policy.model(input_ids=torch.tensor(ids), labels=torch.tensor(labels)).loss
    torch.testing.assert_close(policy.sft_loss(PROMPTS, clips), own)


@pytest.mark.parametrize("make", [llama, gpt2])
def test_padding_on_either_side_and_batch_mates_change_nothing(make):
    policy = make_policy(make)
    clips = random_clips(policy, 2, 4, 1)
    together, _ = policy.token_logps(PROMPTS, clips)
    for i, (prompt, clip) in enumerate(zip(PROMPTS, clips, strict=True)):
        alone, scored = policy.token_logps([prompt], [clip])
        n = scored.shape[2]
        torch.testing.assert_close(together[i, :, :n], alone[0])
    ids, response = letters(PROMPTS[0]), torch.tensor([[6, 10, 7]])
    bare = response_logits(policy.model, PromptBlock.of([ids], policy.device), response)
    left = PromptBlock(torch.tensor([[5, 5, *ids]]), torch.tensor([[0, 0, 1, 1, 1]]), {})
    torch.testing.assert_close(response_logits(policy.model, left, response), bare)
    row = torch.tensor([[*ids, *response[0], 5, 5]])
    attended = (row != 5).long()
    right = policy.model(input_ids=row, attention_mask=attended).logits[:, 2:5]
    torch.testing.assert_close(right, bare)


def test_training_mode_changes_nothing_because_dropout_is_off():
    policy = make_policy()
    clips = random_clips(policy, 2, 4, 1)
    policy.model.eval()
    quiet, _ = policy.token_logps(PROMPTS, clips)
    policy.model.train()
    assert torch.equal(policy.token_logps(PROMPTS, clips)[0], quiet)


def every_clip(policy: CausalCodecPolicy) -> list[Tokens]:
    frames = list(product(range(policy.tokens.codebook_size), repeat=policy.tokens.n_codebooks))
    lengths = range(1, policy.max_frames + 1)
    return [np.array(clip).T for n in lengths for clip in product(frames, repeat=n)]


@pytest.mark.parametrize(
    ("n_codebooks", "codebook_size", "max_frames"), [(1, 3, 3), (2, 2, 2), (3, 2, 1)]
)
def test_over_codes_the_probabilities_of_all_clips_sum_to_one(
    n_codebooks, codebook_size, max_frames
):
    policy = make_policy(
        n_codebooks=n_codebooks,
        codebook_size=codebook_size,
        max_frames=max_frames,
        softmax_over="codes",
    )
    clips = every_clip(policy)
    logps = policy.sequence_logps([PROMPTS[0]] * len(clips), clips)
    assert np.exp(logps).sum() == pytest.approx(1, abs=1e-5)


def test_over_the_vocabulary_what_is_missing_to_one_went_to_other_words():
    over_codes = make_policy(codebook_size=2, max_frames=2, softmax_over="codes")
    over_all = make_policy(codebook_size=2, max_frames=2)
    clips = every_clip(over_all)
    asked = [PROMPTS[0]] * len(clips)
    wide, narrow = (p.sequence_logps(asked, clips) for p in (over_all, over_codes))
    assert (wide < narrow).all()
    assert np.exp(wide).sum() < 1


def test_samples_come_as_often_as_their_probabilities_say():
    policy = make_policy(codebook_size=2, max_frames=2, softmax_over="codes")
    clips, n = every_clip(policy), 1500
    rollout = policy.sample(PROMPTS[:2], n, generator=seeded(), batch_size=n)
    for i, prompt in enumerate(PROMPTS[:2]):
        expected = n * np.exp(policy.sequence_logps([prompt] * len(clips), clips))
        drawn = Counter(t.tobytes() for t in rollout.tokens[i * n : (i + 1) * n])
        counts = np.array([drawn[clip.tobytes()] for clip in clips])
        assert counts.sum() == n
        often = expected > 5
        observed = np.append(counts[often], counts[~often].sum())
        wanted = np.append(expected[often], max(expected[~often].sum(), 1e-9))
        statistic = ((observed - wanted) ** 2 / wanted)[wanted > 5].sum()
        assert statistic < chi2.ppf(0.999, often.sum())


def test_a_clip_is_terminated_exactly_when_its_one_end_is_scored():
    policy = make_policy(max_frames=3)
    rollout = policy.sample(PROMPTS, 10, generator=seeded(), batch_size=7)
    lengths = np.array([clip.shape[1] for clip in rollout.tokens])
    np.testing.assert_array_equal(rollout.terminated, lengths < 3)
    assert rollout.prompt_index.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert set(lengths) == {1, 2, 3}
    asked = [PROMPTS[i] for i in rollout.prompt_index]
    _, ids, scored = policy.logits(asked, rollout.tokens)
    ends = (ids == END) & scored
    np.testing.assert_array_equal(ends.sum((1, 2)), rollout.terminated)
    np.testing.assert_array_equal(scored.sum((1, 2)), 2 * lengths + rollout.terminated)
    slow = [sum(one_id_at_a_time(policy, p, c)) for p, c in zip(asked, rollout.tokens, strict=True)]
    np.testing.assert_allclose(rollout.logp, slow, rtol=1e-4)


def test_the_same_generator_samples_the_same_and_the_global_one_is_not_touched():
    policy = make_policy()
    state = torch.get_rng_state()
    first, second = (policy.sample(PROMPTS, 3, generator=seeded(4)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    for one, other in zip(first.tokens, second.tokens, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_prompt_answers_does_not_depend_on_the_other_prompts_padding():
    policy = make_policy(max_frames=4)
    # At a temperature near 0, the draw is the most likely code, so that no randomness is shared.
    cold = {"temperature": 1e-4, "generator": seeded()}
    together = policy.sample(PROMPTS, 1, **cold).tokens
    for prompt, clip in zip(PROMPTS, together, strict=True):
        np.testing.assert_array_equal(policy.sample([prompt], 1, **cold).tokens[0], clip)


def test_a_saved_model_is_loaded_as_the_policy_that_it_was(tmp_path):
    policy = make_policy()
    policy.model.save_pretrained(tmp_path)
    loaded = CausalCodecPolicy.from_pretrained(
        str(tmp_path), policy.tokens, letters, max_frames=4, local_files_only=True
    )
    clips = random_clips(policy, 2, 4, 1)
    torch.testing.assert_close(
        loaded.token_logps(PROMPTS, clips)[0], policy.token_logps(PROMPTS, clips)[0]
    )


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = ["<unk>", "<end>", "one", "two", "ann", *(f"<|s_{i}|>" for i in range(4))]
    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>")


def test_a_prompt_is_the_filled_pattern_between_the_given_ids():
    encode = tokenizer_prompts(tokenizer(), "{condition} {text}", before=[7], after=[8, 8])
    assert encode(Prompt("p", "two one", "ann")) == [7, 4, 3, 2, 8, 8]


def test_a_token_map_by_name_finds_the_ids_of_the_codes():
    tokens = TokenMap.from_tokenizer(tokenizer(), ["<|s_{}|>"], 4, end_token="<end>")
    assert tokens.ids.tolist() == [[5, 6, 7, 8]]
    assert tokens.end_id == 1


def test_a_code_without_a_token_is_an_error():
    with pytest.raises(ConfigError, match=r"none for 2 of them, such as '<\|s_4\|>'"):
        TokenMap.from_tokenizer(tokenizer(), ["<|s_{}|>"], 6, end_token="<end>")


def test_ids_go_back_to_the_codes_they_stand_for_in_any_order_of_the_map():
    tokens = TokenMap(np.array([[9, 5, 7], [4, 6, 8]]), end_id=2)
    np.testing.assert_array_equal(tokens.codes(np.array([7, 4, 9, 8])), [[2, 0], [0, 2]])
    for foreign in (3, 8, 99):
        with pytest.raises(DataError, match=f"codebook 0 at every 2th place, got id {foreign} in"):
            tokens.codes(np.array([9, 4, foreign, 6]))


@pytest.mark.parametrize(("ids", "end"), [([[5, 5]], 2), ([[2, 3]], 2), ([[-1, 3]], 2)])
def test_a_map_that_cannot_be_read_back_is_an_error(ids, end):
    with pytest.raises(ConfigError, match="an id of its own for each code of codebook 0"):
        TokenMap(np.array(ids), end)


def test_a_map_beyond_the_vocabulary_is_an_error():
    policy = make_policy()
    tokens = TokenMap.from_offsets([6, 60], 3, end_id=END)
    with pytest.raises(ConfigError, match="within the model's vocabulary of 13, got id 62"):
        CausalCodecPolicy(policy.model, tokens, letters, 4)


def no_ids(_: Prompt) -> Sequence[int]:
    return []


def test_a_prompt_without_ids_is_an_error():
    policy = make_policy()
    silent = CausalCodecPolicy(policy.model, policy.tokens, no_ids, 4)
    with pytest.raises(DataError, match="prompt 'p0': expected at least one id before the codes"):
        silent.sample(PROMPTS, 1, generator=seeded())


def test_a_clip_of_another_codec_is_an_error():
    policy = make_policy()
    with pytest.raises(DataError, match=r"clip 0: expected codes .* of 2 codebooks"):
        policy.token_logps(PROMPTS[:1], [np.zeros((3, 2), dtype=int)])


@pytest.mark.parametrize("softmax_over", ["vocabulary", "codes"])
def test_the_policy_scores_and_samples_on_another_device(softmax_over):
    def make() -> CausalCodecPolicy:
        return make_policy(softmax_over=softmax_over)

    require_same_elsewhere(make, PROMPTS, random_clips(make(), 2, 4, 3))
