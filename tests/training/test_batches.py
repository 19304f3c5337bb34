from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from auralign.training.batches import POOL, similar_length_batches

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=100)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(lengths=LENGTHS, batch_size=st.integers(1, 9))
def test_every_clip_comes_once_and_no_batch_is_too_large(lengths, batch_size):
    batches = list(similar_length_batches(lengths, batch_size, seeded()))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)


def test_within_a_pool_no_two_batches_overlap_in_length():
    lengths = torch.randint(1, 1000, (POOL * 16,), generator=seeded(1)).tolist()
    batches = list(similar_length_batches(lengths, 16, seeded(2)))
    spans = sorted((min(lengths[i] for i in b), max(lengths[i] for i in b)) for b in batches)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_batches_come_in_no_order_of_length_and_differ_from_draw_to_draw():
    lengths = list(range(POOL * 16))
    first, second = (list(similar_length_batches(lengths, 16, seeded(s))) for s in (1, 2))
    assert first != second
    shortest = [batch[0] for batch in first]
    assert shortest != sorted(shortest)
