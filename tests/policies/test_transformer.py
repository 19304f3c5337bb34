import math

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError
from auralign.policies.transformer import (
    CodecTransformer,
    TransformerConfig,
    new_transformer,
    rotary,
    rotate,
)

CONFIG = TransformerConfig(
    n_prompt_tokens=5,
    prompt_length=3,
    n_codebooks=3,
    codebook_size=4,
    max_frames=6,
    width=16,
    depth=2,
    n_heads=2,
)
END = CONFIG.codebook_size


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model() -> CodecTransformer:
    return new_transformer(CONFIG, seeded()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts `[2, 3]` and codes `[2, 3, 6]`."""
    prompts = torch.randint(5, (2, 3), generator=seeded(1))
    return prompts, torch.randint(END, (2, 3, 6), generator=seeded(2))


def test_logits_stand_one_for_each_code_and_one_for_the_end(model, inputs):
    assert model(*inputs).shape == (2, 3, 6, END + 1)


def test_a_clip_can_end_in_codebook_0_after_its_first_frame_and_nowhere_else(model, inputs):
    can_end = model(*inputs)[..., END].isfinite()
    expected = torch.zeros(2, 3, 6, dtype=torch.bool)
    expected[:, 0, 1:] = True
    assert torch.equal(can_end, expected)


def test_nothing_depends_on_later_frames(model, inputs):
    prompts, codes = inputs
    other = codes.clone()
    other[:, :, 3:] = (other[:, :, 3:] + 1) % END
    before, after = model(prompts, codes), model(prompts, other)
    assert_close(before[:, :, :3], after[:, :, :3])
    assert not torch.allclose(before[:, 1:, 3], after[:, 1:, 3])


def test_within_a_frame_a_codebook_sees_the_ones_before_it_and_not_itself(model, inputs):
    prompts, codes = inputs
    other = codes.clone()
    other[:, 1, 4] = (other[:, 1, 4] + 1) % END
    before, after = model(prompts, codes), model(prompts, other)
    assert_close(before[:, :2, 4], after[:, :2, 4])
    assert not torch.allclose(before[:, 2, 4, :END], after[:, 2, 4, :END])


def test_every_later_frame_sees_every_earlier_code(model, inputs):
    prompts, codes = inputs
    base = model(prompts, codes)
    for book in range(CONFIG.n_codebooks):
        other = codes.clone()
        other[:, book, 0] = (other[:, book, 0] + 1) % END
        change = (model(prompts, other) - base)[:, 0, 1:].abs().amax(-1)
        assert (change > 1e-6).all()


def test_the_prompt_and_the_order_of_its_words_matter(model, inputs):
    _, codes = inputs
    order = torch.tensor([[1, 2, 3], [2, 1, 3]])
    one, other = model(order, codes[:1].expand(2, -1, -1))[:, 0, 0, :END]
    assert not torch.allclose(one, other)


def test_a_given_history_replaces_the_codes_for_later_frames_only(model, inputs):
    prompts, codes = inputs
    history = (codes + 1) % END
    logits = model(prompts, codes, history)
    assert_close(logits[:, :, 0], model(prompts, codes)[:, :, 0])
    # Codebook 0 sees no code of its own frame, so that for it all the codes are history.
    assert_close(logits[:, 0], model(prompts, history)[:, 0])


def test_one_frame_at_a_time_with_a_cache_equals_the_whole_clip_at_once(model, inputs):
    prompts, codes = inputs
    cache = model.new_cache(len(prompts))
    hidden = [model.step(model.embed_prompts(prompts), cache)]
    hidden += [
        model.step(model.embed_frames(codes[:, :, t : t + 1]), cache)
        for t in range(codes.shape[2] - 1)
    ]
    assert_close(model.code_logits(torch.stack(hidden, dim=1), codes), model(prompts, codes))


def test_clips_that_leave_the_batch_leave_the_others_caches_as_they_were(model, inputs):
    prompts, codes = inputs
    first = codes[:, :, :1]

    def second_hidden(rows: torch.Tensor) -> torch.Tensor:
        cache = model.new_cache(len(prompts))
        model.step(model.embed_prompts(prompts), cache)
        for layer in cache:
            layer.keep(rows)
        return model.step(model.embed_frames(first[rows]), cache)

    both = second_hidden(torch.tensor([True, True]))
    assert_close(second_hidden(torch.tensor([False, True])), both[1:])


def test_frames_are_drawn_from_the_distributions_that_the_logits_say(model):
    """Every frame of three codebooks, 4 x 4 x 4 of them and 4 x 4 ends, by its probability."""
    hidden = torch.randn(1, CONFIG.width, generator=seeded(3))
    n = 20_000
    drawn = model.next_frame(
        hidden.expand(n, -1), may_end=True, temperature=1.0, generator=seeded(4)
    )
    logps = torch.log_softmax(
        model.code_logits(hidden[:, None].expand(n, 2, -1), drawn[:, :, None].expand(-1, -1, 2)), -1
    )[:, :, 1]
    logp = logps.gather(-1, drawn[..., None])[..., 0].sum(1)
    frames, inverse, counts = drawn.unique(dim=0, return_inverse=True, return_counts=True)
    probability = torch.zeros(len(frames)).scatter(0, inverse, logp.exp())
    assert probability.sum() > 0.99
    spread = (probability * (1 - probability) / n).sqrt()
    assert ((counts / n - probability).abs() < 4.5 * spread + 1 / n).all()


def test_temperature_divides_the_logits(model):
    hidden = torch.randn(1, CONFIG.width, generator=seeded(5)).expand(8000, -1)
    logits = model.code_logits(hidden[:1, None], torch.zeros(1, 3, 1, dtype=torch.int64))[0, 0, 0]
    drawn = model.next_frame(hidden, may_end=False, temperature=0.5, generator=seeded(6))[:, 0]
    share = torch.bincount(drawn, minlength=END + 1) / len(drawn)
    assert_close(share, torch.softmax(logits / 0.5, dim=-1), atol=0.025, rtol=0)


@pytest.mark.parametrize("may_end", [True, False])
def test_an_end_is_drawn_only_where_it_may_be(model, may_end):
    hidden = torch.randn(2000, CONFIG.width, generator=seeded(7))
    drawn = model.next_frame(hidden, may_end=may_end, temperature=1.0, generator=seeded(8))
    assert bool((drawn[:, 0] == END).any()) == may_end
    assert (drawn[:, 1:] < END).all()


def test_rotation_keeps_lengths_and_products_depend_on_the_distance_alone():
    query, key = torch.randn(2, 8, generator=seeded())
    cos_sin = rotary(0, 20, 8)
    queries, keys = (rotate(x.expand(20, 8), cos_sin) for x in (query, key))
    assert_close(queries.norm(dim=1), query.norm().expand(20))
    products = queries @ keys.T
    for distance in range(-19, 20):
        diagonal = products.diagonal(distance)
        assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=1e-4)


def test_positions_go_on_where_the_cache_stopped():
    whole = rotary(0, 9, 4)
    for all_, late in zip(whole, rotary(5, 4, 4), strict=True):
        assert_close(all_[5:], late)


def test_the_same_generator_gives_the_same_weights_and_the_global_one_is_not_touched():
    state = torch.get_rng_state()
    one, same, other = (new_transformer(CONFIG, seeded(s)).state_dict() for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["code_embedding"], other["code_embedding"])


def test_every_weight_is_drawn_and_an_untrained_model_is_near_to_indifferent(model, inputs):
    for name, weight in model.state_dict().items():
        assert weight.isfinite().all()
        if name.endswith("norm.weight"):
            assert (weight == 1).all()
        else:
            assert weight.std() > 0
    entropy = torch.special.entr(torch.softmax(model(*inputs), dim=-1)).sum(-1).mean()
    assert entropy > 0.5 * math.log(END)


def test_a_width_that_heads_cannot_share_in_pairs_is_an_error():
    with pytest.raises(ConfigError, match="multiple of 8 for 4 heads, got 36"):
        TransformerConfig(5, 3, 1, 4, 6, width=36, n_heads=4)
