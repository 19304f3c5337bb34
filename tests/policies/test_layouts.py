import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError
from auralign.policies.layouts import (
    append_end,
    codebook_weights,
    from_delay,
    from_depth,
    from_flat,
    length_batches,
    pad_clips,
    require_clips,
    to_delay,
    to_depth,
    to_flat,
    weight_codebooks,
)

shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 6))
trailing = st.sampled_from([(), (1,), (5,)])


def numbered(*shape: int) -> torch.Tensor:
    """Every entry differs, so that a moved one is seen."""
    return torch.arange(math.prod(shape)).view(shape)


@given(shapes, trailing)
def test_flat_and_back_is_the_identity_and_frames_follow_each_other(shape, more):
    codes = numbered(*shape, *more)
    _, books, n = shape
    flat = to_flat(codes)
    assert torch.equal(from_flat(flat, books), codes)
    for k in range(books):
        for t in range(n):
            assert torch.equal(flat[:, t * books + k], codes[:, k, t])


@given(shapes, trailing, st.data())
def test_delay_and_back_is_the_identity_and_open_places_hold_the_fill(shape, more, data):
    codes = numbered(*shape, *more)
    _, books, n = shape
    delays = data.draw(st.lists(st.integers(0, 4), min_size=books, max_size=books))
    delayed = to_delay(codes, delays, fill=-1)
    assert torch.equal(from_delay(delayed, delays), codes)
    assert delayed.shape[2] == n + max(delays)
    for k in range(books):
        for position in range(delayed.shape[2]):
            t = position - delays[k]
            expected = codes[:, k, t] if 0 <= t < n else torch.full_like(codes[:, k, 0], -1)
            assert torch.equal(delayed[:, k, position], expected)


@given(shapes, trailing)
def test_depth_and_back_is_the_identity_with_one_position_a_frame(shape, more):
    codes = numbered(*shape, *more)
    assert torch.equal(from_depth(to_depth(codes)), codes)
    assert to_depth(codes).shape[:3] == (shape[0], shape[2], shape[1])


@given(shapes, st.data())
def test_a_mask_moves_with_its_codes_in_every_layout(shape, data):
    codes = numbered(*shape)
    flags = data.draw(st.lists(st.booleans(), min_size=codes.numel(), max_size=codes.numel()))
    mask = torch.tensor(flags).view(shape)
    wanted = codes[mask].sort().values
    delays = range(shape[1])
    assert torch.equal(to_flat(codes)[to_flat(mask)].sort().values, wanted)
    assert torch.equal(to_depth(codes)[to_depth(mask)].sort().values, wanted)
    delayed = to_delay(codes, delays, fill=-1)[to_delay(mask, delays, fill=False)]
    assert torch.equal(delayed.sort().values, wanted)


def test_the_delay_pattern_of_three_codebooks_is_the_one_of_the_paper():
    codes = torch.tensor([[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]])
    assert to_delay(codes, (0, 1, 2), fill=0)[0].tolist() == [
        [1, 2, 3, 4, 0, 0],
        [0, 5, 6, 7, 8, 0],
        [0, 0, 9, 10, 11, 12],
    ]


def test_a_sequence_that_ends_within_a_frame_is_an_error():
    with pytest.raises(DataError, match="whole frames of 3 codes, got a sequence of 7"):
        from_flat(torch.zeros(1, 7), 3)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_each_clip_is_scored_in_whole_with_one_end_unless_it_was_cut_off(lengths):
    clips = [np.full((2, n), 7) for n in lengths]
    codes, scored = append_end(*pad_clips(clips), end=9, max_frames=5)
    assert codes.shape == scored.shape == (len(lengths), 2, max(lengths) + 1)
    for n, row, mask in zip(lengths, codes, scored, strict=True):
        assert row[mask].tolist().count(7) == 2 * n == int(mask[:, :n].sum())
        assert bool(mask[0, n]) == (n < 5)
        assert row[0, n] == 9
        assert not mask[0, n + 1 :].any()
        assert not mask[1, n:].any()


def test_a_clip_without_frames_has_only_its_end():
    codes, scored = append_end(*pad_clips([np.zeros((1, 0), dtype=int)]), end=3, max_frames=2)
    assert codes.tolist() == [[[3]]]
    assert scored.all()


@pytest.mark.parametrize(
    ("clip", "complaint"),
    [
        (np.zeros((4, 2)), r"of 2 codebooks, got shape \(4, 2\)"),
        (np.zeros(4), r"of 2 codebooks, got shape \(4,\)"),
        (np.zeros((2, 0)), "1 to 3 frames, got 0"),
        (np.zeros((2, 4)), "1 to 3 frames, got 4"),
        (np.array([[0], [5]]), "codes from 0 to 4, got 0 to 5"),
        (np.array([[0], [-1]]), "codes from 0 to 4, got -1 to 0"),
    ],
)
def test_a_clip_that_the_policy_cannot_have_made_is_an_error(clip, complaint):
    sizes = {"n_codebooks": 2, "codebook_size": 5, "max_frames": 3}
    with pytest.raises(DataError, match=f"clip 1: expected .*{complaint}"):
        require_clips([np.zeros((2, 1), dtype=int), clip], **sizes)


def test_named_weights_sum_average_and_pick():
    logps = torch.tensor([[[-1.0, -2.0], [-10.0, -20.0]]])
    totals = {
        name: weight_codebooks(logps, codebook_weights(name, 2)).sum().item()
        for name in ("sum", "mean", "first")
    }
    assert totals == {"sum": -33.0, "mean": -16.5, "first": -3.0}
    assert weight_codebooks(logps, codebook_weights([2, 0.5], 2)).sum().item() == -6.0 - 15.0


def test_a_codebook_of_weight_zero_reaches_neither_value_nor_gradient():
    logps = torch.tensor([[[-1.0], [-torch.inf]]], requires_grad=True)
    total = weight_codebooks(logps, codebook_weights("first", 2)).sum()
    total.backward()
    assert total.item() == -1
    assert logps.grad.flatten().tolist() == [1, 0]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, math.nan]])
def test_weights_that_weigh_nothing_are_an_error(weights):
    with pytest.raises(ConfigError, match="expected 2 codebook weights, none below 0"):
        codebook_weights(weights, 2)


def test_an_unknown_name_of_weights_suggests_the_near_one():
    with pytest.raises(ConfigError, match=r"got 'means' \(did you mean 'mean'\?\)"):
        codebook_weights("means", 2)


def test_batches_of_similar_length_hold_every_clip_once():
    clips = [np.zeros((1, n)) for n in (5, 1, 4, 2, 3, 9, 7)]
    batches = list(length_batches(clips, 3))
    assert sorted(i for rows in batches for i in rows) == list(range(7))
    assert [len(rows) for rows in batches] == [3, 3, 1]
    lengths = [clips[i].shape[1] for rows in batches for i in rows]
    assert lengths == sorted(lengths)
