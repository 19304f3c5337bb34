import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from auralign.errors import ConfigError, DataError
from auralign.policies.language_model import CodecLanguageModel, PromptVocabulary
from auralign.types import Prompt, TokenPolicy, Tokens


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_clips(policy: CodecLanguageModel, *lengths: int, seed: int = 0) -> list[Tokens]:
    rng, config = np.random.default_rng(seed), policy.model.config
    return [rng.integers(config.codebook_size, size=(config.n_codebooks, n)) for n in lengths]


def one_frame_at_a_time(policy: CodecLanguageModel, prompt: Prompt, clip: Tokens) -> float:
    """The log-probability of a clip as it is when it is sampled: feed a frame, read the next."""
    model, n = policy.model, clip.shape[1]
    cache = model.new_cache(1)
    hidden = model.step(model.embed_prompts(policy.vocabulary.encode([prompt])), cache)
    total = 0.0
    for t in range(min(n, policy.model.config.max_frames - 1) + 1):
        ends = t == n
        frame = torch.zeros(1, len(clip), dtype=torch.int64)
        frame[0] = torch.from_numpy(clip[:, t]) if not ends else 0
        if ends:
            frame[0, 0] = model.config.codebook_size
        # The first of two equal times is a clip's first frame, where no end is allowed.
        twice = model.code_logits(
            hidden[:, None].expand(1, 2, -1), frame[:, :, None].expand(1, -1, 2)
        )
        logps = torch.log_softmax(twice[0, :, min(t, 1)], dim=-1).gather(-1, frame.T)[:, 0]
        total += logps[0].item() if ends else logps.sum().item()
        if not ends:
            hidden = model.step(model.embed_frames(frame[:, :, None]), cache)
    return total


@pytest.mark.parametrize(
    ("codebook_size", "n_codebooks", "max_frames"), [(2, 2, 2), (3, 1, 3), (2, 1, 1), (3, 2, 2)]
)
def test_the_probabilities_of_all_clips_sum_to_one(
    make_policy, every_clip, prompts, codebook_size, n_codebooks, max_frames
):
    policy = make_policy(codebook_size, n_codebooks, max_frames)
    clips = every_clip(policy)
    for prompt in prompts:
        logps = policy.sequence_logps([prompt] * len(clips), clips)
        assert np.exp(logps).sum() == pytest.approx(1, abs=1e-5)


def test_samples_come_as_often_as_their_probabilities_say(make_policy, every_clip, prompts):
    policy = make_policy(codebook_size=2, n_codebooks=2, max_frames=2, seed=3)
    n = 4000
    rollout = policy.sample(prompts, n, generator=seeded(1), batch_size=2000)
    clips = every_clip(policy)
    for i, prompt in enumerate(prompts):
        probability = np.exp(policy.sequence_logps([prompt] * len(clips), clips))
        drawn = Counter(t.tobytes() for t in rollout.tokens[i * n : (i + 1) * n])
        assert drawn.keys() <= {clip.tobytes() for clip in clips}
        counts = np.array([drawn[clip.tobytes()] for clip in clips])
        expected = n * probability
        assert expected.min() > 5
        statistic = ((counts - expected) ** 2 / expected).sum()
        assert statistic < chi2.ppf(0.999, len(clips) - 1)


def test_teacher_forcing_equals_feeding_one_frame_at_a_time(make_policy, prompts):
    policy = make_policy()
    clips = random_clips(policy, 1, 3, 5, 6)
    for prompt in prompts:
        slow = [one_frame_at_a_time(policy, prompt, clip) for clip in clips]
        fast = policy.sequence_logps([prompt] * len(clips), clips)
        np.testing.assert_allclose(fast, slow, rtol=1e-5)


def test_a_rollout_knows_the_log_probabilities_of_its_clips(make_policy, prompts):
    policy = make_policy()
    rollout = policy.sample(prompts, 10, generator=seeded())
    asked = [prompts[i] for i in rollout.prompt_index]
    slow = [one_frame_at_a_time(policy, p, c) for p, c in zip(asked, rollout.tokens, strict=True)]
    np.testing.assert_allclose(rollout.logp, slow, rtol=1e-5)
    token_logps, scored = policy.token_logps(asked, rollout.tokens)
    np.testing.assert_allclose(token_logps.sum((1, 2)).detach(), slow, rtol=1e-5)
    assert not token_logps[~scored].any()


def test_clips_are_prompt_major_and_marked_where_they_were_cut_off(make_policy, prompts):
    policy = make_policy(max_frames=3)
    rollout = policy.sample(prompts, 50, generator=seeded(), batch_size=17)
    assert rollout.prompt_index.tolist() == [0] * 50 + [1] * 50
    lengths = np.array([clip.shape[1] for clip in rollout.tokens])
    assert set(lengths) == {1, 2, 3}
    np.testing.assert_array_equal(rollout.terminated, lengths < 3)
    assert all(clip.min() >= 0 and clip.max() < 3 for clip in rollout.tokens)


def test_no_clip_is_empty_where_one_code_and_the_end_are_the_only_choice(make_policy, prompts):
    policy = make_policy(codebook_size=1, n_codebooks=1)
    rollout = policy.sample(prompts, 200, generator=seeded())
    assert min(clip.shape[1] for clip in rollout.tokens) == 1


def test_exactly_one_end_code_is_scored_where_the_clip_ended_itself_and_none_where_not(
    make_policy,
):
    policy = make_policy(codebook_size=3, n_codebooks=2, max_frames=6)
    codes, scored = policy.batch(random_clips(policy, 1, 4, 6))
    ends = (codes == 3) & scored
    assert ends.sum((1, 2)).tolist() == [1, 1, 0]
    assert ends.sum((0, 2)).tolist() == [2, 0]  # in codebook 0 only
    assert (scored & ~ends).sum((1, 2)).tolist() == [2 * 1, 2 * 4, 2 * 6]


def test_under_an_indifferent_model_log_probabilities_and_entropy_are_counted_by_hand(
    make_policy, prompts
):
    policy = make_policy(codebook_size=3, n_codebooks=2, max_frames=6)
    policy.model.depth_out.data.zero_()
    one, three, cut = random_clips(policy, 1, 3, 6)
    # Codebook 0 chooses among three codes in the first frame and among three and the end later.
    expected = [
        -2 * math.log(3) - math.log(4),
        -2 * math.log(3) - 2 * (math.log(4) + math.log(3)) - math.log(4),
        -2 * math.log(3) - 5 * (math.log(4) + math.log(3)),
    ]
    asked = [prompts[0]] * 3
    np.testing.assert_allclose(policy.sequence_logps(asked, [one, three, cut]), expected, rtol=1e-6)
    n_scored = (2 + 1) + (6 + 1) + 12
    assert policy.token_entropy(asked, [one, three, cut]) == pytest.approx(
        -sum(expected) / n_scored
    )


def test_padding_and_batch_mates_change_nothing(make_policy, prompts):
    policy = make_policy()
    clips = random_clips(policy, 2, 6, 1, 4)
    asked = [prompts[0], prompts[1], prompts[1], prompts[0]]
    together, scored = policy.token_logps(asked, clips)
    for i, (prompt, clip) in enumerate(zip(asked, clips, strict=True)):
        alone, alone_scored = policy.token_logps([prompt], [clip])
        n = clip.shape[1] + 1
        torch.testing.assert_close(together[i, :, :n], alone[0])
        assert torch.equal(scored[i, :, :n], alone_scored[0])
        assert not scored[i, :, n:].any()
    one_by_one = policy.sequence_logps(asked, clips, batch_size=1)
    np.testing.assert_allclose(policy.sequence_logps(asked, clips), one_by_one, rtol=1e-5)


def test_each_scored_code_counts_and_nothing_in_a_place_that_is_not_scored(make_policy, prompts):
    policy = make_policy()
    codes, scored = policy.batch(random_clips(policy, 2, 4))
    asked = policy.vocabulary.encode(prompts)

    def logps(codes: torch.Tensor) -> torch.Tensor:
        picked = torch.log_softmax(policy.model(asked, codes), -1).gather(-1, codes[..., None])
        return torch.where(scored, picked[..., 0], 0.0).sum((1, 2)).detach()

    base = logps(codes)
    for place in scored.logical_not().nonzero():
        other = codes.clone()
        other[tuple(place)] = (other[tuple(place)] + 1) % 3
        torch.testing.assert_close(logps(other), base, rtol=0, atol=0)
    for place in (scored & (codes < 3)).nonzero():
        other = codes.clone()
        other[tuple(place)] = (other[tuple(place)] + 1) % 3
        assert logps(other)[place[0]] != base[place[0]]


def test_a_corrupted_history_is_what_later_frames_see(make_policy, prompts):
    policy = make_policy()
    clips = random_clips(policy, 4, 4)
    clean, _ = policy.token_logps(prompts, clips)
    corrupted, _ = policy.token_logps(prompts, clips, corrupt=lambda codes: (codes + 1) % 3)
    torch.testing.assert_close(corrupted[:, :, 0], clean[:, :, 0])
    assert not torch.isclose(corrupted[:, :, 1:4], clean[:, :, 1:4]).any()


def test_the_gradient_is_finite_for_clips_of_every_length(make_policy, prompts):
    policy = make_policy()
    token_logps, _ = policy.token_logps([prompts[0]] * 3, random_clips(policy, 1, 3, 6))
    token_logps.sum().backward()
    assert all(p.grad.isfinite().all() for p in policy.model.parameters())


def test_the_same_generator_samples_the_same_and_the_global_one_is_not_touched(
    make_policy, prompts
):
    policy = make_policy()
    state = torch.get_rng_state()
    one, same, other = (policy.sample(prompts, 8, generator=seeded(s)).tokens for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert [c.tobytes() for c in one] == [c.tobytes() for c in same]
    assert [c.tobytes() for c in one] != [c.tobytes() for c in other]


def test_a_low_temperature_samples_what_the_policy_finds_likely(make_policy, prompts):
    policy = make_policy(max_frames=4)
    cold, warm = (
        policy.sample(prompts, 100, generator=seeded(), temperature=t).logp.mean()
        for t in (0.2, 1.0)
    )
    assert cold > warm + 1


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_that_is_not_positive_is_an_error(make_policy, prompts, temperature):
    with pytest.raises(ConfigError, match=f"temperature must be above 0, got {temperature:g}"):
        make_policy().sample(prompts, 1, generator=seeded(), temperature=temperature)


def test_saved_and_loaded_a_policy_says_and_samples_the_same(make_policy, prompts, tmp_path):
    policy = make_policy()
    policy.save(tmp_path / "policy.safetensors")
    loaded = CodecLanguageModel.load(tmp_path / "policy.safetensors")
    assert loaded.vocabulary == policy.vocabulary
    assert loaded.weights_hash() == policy.weights_hash()
    one, other = (p.sample(prompts, 5, generator=seeded()) for p in (policy, loaded))
    np.testing.assert_array_equal(one.logp, other.logp)
    assert [c.tobytes() for c in one.tokens] == [c.tobytes() for c in other.tokens]


def test_a_reference_is_frozen_and_does_not_follow_the_policy(make_policy, prompts):
    policy = make_policy()
    reference = policy.frozen_copy()
    assert not any(p.requires_grad for p in reference.model.parameters())
    assert not any(module.training for module in reference.model.modules())
    assert reference.weights_hash() == policy.weights_hash()
    next(policy.model.parameters()).data += 1
    assert reference.weights_hash() != policy.weights_hash()


def test_a_trainable_copy_of_a_reference_has_gradients_and_weights_of_its_own(make_policy):
    reference = make_policy().frozen_copy()
    copy = reference.trainable_copy()
    assert all(p.requires_grad for p in copy.model.parameters())
    assert not any(p.requires_grad for p in reference.model.parameters())
    before = reference.weights_hash()
    next(copy.model.parameters()).data += 1
    assert reference.weights_hash() == before


def test_the_hash_notices_every_weight(make_policy):
    policy = make_policy()
    hashes = {policy.weights_hash()}
    weights = list(policy.model.parameters())
    for weight in weights:
        weight.data.view(-1)[0] += 1
        hashes.add(policy.weights_hash())
    assert len(hashes) == 1 + len(weights)


def test_a_new_policy_fits_its_data_and_leaves_room_beyond_the_longest_clip():
    data = [Prompt("a", "one two two", "ann"), Prompt("b", "three", None)]
    for longest in (1, 2, 3, 8):
        clips = [np.zeros((2, n), dtype=np.int64) for n in (1, longest)]
        policy = CodecLanguageModel.new(
            data, clips, codebook_size=5, width=8, depth=1, n_heads=2, generator=seeded()
        )
        assert policy.model.config.n_codebooks == 2
        assert policy.model.config.codebook_size == 5
        _, scored = policy.batch(clips)
        # The end of every clip in the data can be learned.
        assert scored.sum((1, 2)).tolist() == [2 * 1 + 1, 2 * longest + 1]
    assert policy.vocabulary == PromptVocabulary(("one", "three", "two"), ("", "ann"), 3)


def test_a_prompt_is_its_condition_its_words_padding_and_a_separator(vocabulary, prompts):
    # 0 pads, 1 separates, then the conditions ann and bob, then the words one and two.
    assert vocabulary.encode(prompts).tolist() == [[2, 4, 5, 0, 1], [3, 5, 0, 0, 1]]


def test_an_unknown_word_is_an_error_that_suggests_the_near_one(vocabulary):
    with pytest.raises(DataError, match=r"'p' has the word 'twoo'.*did you mean 'two'\?"):
        vocabulary.encode([Prompt("p", "one twoo", "ann")])


def test_an_unknown_speaker_is_an_error_that_names_the_known_ones(vocabulary):
    with pytest.raises(DataError, match=r"has the condition 'eve'.*use one of ann, bob"):
        vocabulary.encode([Prompt("p", "one", "eve")])


def test_more_words_than_in_training_are_an_error(vocabulary):
    with pytest.raises(DataError, match=r"'p' has 4 words .* at most 3: shorten"):
        vocabulary.encode([Prompt("p", "one one one one", "ann")])


@pytest.mark.parametrize(
    ("codes", "complaint"),
    [
        (np.zeros((2, 7), dtype=np.int64), "1 to 6 frames, got 7"),
        (np.zeros((2, 0), dtype=np.int64), "1 to 6 frames, got 0"),
        (np.zeros((1, 4), dtype=np.int64), r"2 codebooks, got shape \(1, 4\)"),
        (np.zeros((4, 2), dtype=np.int64), r"of 2 codebooks, got shape \(4, 2\)"),
        (np.zeros(4, dtype=np.int64), r"got shape \(4,\)"),
        (np.array([[0, 3], [1, 2]]), "codes from 0 to 2, got 0 to 3"),
        (np.array([[0, 1], [-1, 2]]), "codes from 0 to 2, got -1 to 2"),
    ],
)
def test_codes_that_the_policy_cannot_have_made_are_an_error(
    make_policy, prompts, codes, complaint
):
    policy = make_policy(codebook_size=3, n_codebooks=2, max_frames=6)
    good = np.zeros((2, 2), dtype=np.int64)
    with pytest.raises(DataError, match=f"clip 1: expected .*{complaint}"):
        policy.token_logps(prompts, [good, codes])


def test_it_is_a_token_policy(make_policy):
    assert isinstance(make_policy(), TokenPolicy)
