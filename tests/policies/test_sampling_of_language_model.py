"""The built-in policy's sampling with a cache against reading every frame anew."""

import numpy as np
import pytest
import torch

from auralign.policies.transformer import Cache


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def without_a_cache(policy, prompts, generator) -> list[np.ndarray]:
    """Those that go on read prompt and frames from the beginning, and draw in the same order."""
    model, config = policy.model, policy.model.config
    asked = policy.vocabulary.encode(prompts)
    clips = [torch.zeros(config.n_codebooks, 0, dtype=torch.int64) for _ in prompts]
    alive = list(range(len(prompts)))
    for t in range(config.max_frames + 1):
        codes = torch.stack([clips[i] for i in alive])
        padded = torch.nn.functional.pad(codes, (0, 1))
        hidden = model.states(asked[alive], padded)[:, -1]
        frames = model.next_frame(hidden, may_end=t > 0, temperature=1.0, generator=generator)
        going = [i for i, f in zip(alive, frames, strict=True) if f[0] != config.codebook_size]
        if t == config.max_frames:
            break
        for i, frame in zip(alive, frames, strict=True):
            if i in going:
                clips[i] = torch.cat([clips[i], frame[:, None]], dim=1)
        alive = going
        if not alive:
            break
    return [clip.numpy() for clip in clips]


@pytest.mark.parametrize("seed", range(3))
def test_sampling_equals_a_slow_twin_that_keeps_nothing(make_policy, prompts, seed):
    policy = make_policy(max_frames=8)
    asked = [prompts[0], prompts[1], prompts[1], prompts[0]] * 3
    slow = without_a_cache(policy, asked, seeded(seed))
    with torch.no_grad():
        clips, ended = policy.sample_clips(asked, 1.0, seeded(seed))
    assert [clip.tolist() for clip in clips] == [clip.tolist() for clip in slow]
    assert ended.tolist() == [clip.shape[1] < 8 for clip in slow]
    assert len({clip.shape[1] for clip in slow}) > 2


def test_clips_that_leave_a_cache_are_closed_up_and_what_is_written_later_follows():
    generator = seeded()
    cache = Cache.empty((5, 2, 6, 3))
    parts = [torch.randn(5, 2, 2, 3, generator=generator) for _ in range(2)]
    cache.extend(*parts)
    rows = torch.tensor([True, False, False, True, True])
    cache.keep(rows)
    news = [torch.randn(3, 2, 1, 3, generator=generator) for _ in range(2)]
    for found, part, new in zip(cache.extend(*news), parts, news, strict=True):
        assert torch.equal(found, torch.cat([part[rows], new], dim=2))
