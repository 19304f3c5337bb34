"""What was heard follows from when playing began and ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.listen.course.telemetry import Event, listening


def event(n, ms, type_, clip=None, at=None, to=None):
    return Event(n=n, ms=ms, type=type_, clip=clip, at=at, to=to)


def test_a_clip_played_to_its_end_is_heard_once_and_whole():
    heard = listening([event(0, 0, "play", 0, 0.0), event(1, 9_000, "ended")], [2.0], 9_000)
    assert heard.clips[0].spans == ((0.0, 2.0),)
    assert (heard.clips[0].plays, heard.clips[0].seconds, heard.clips[0].share) == (1, 2.0, 1.0)


def test_switching_divides_the_time_between_clips_by_position():
    events = [
        event(0, 0, "play", 0, 0.0),
        event(1, 500, "switch", 1, 0.5),
        event(2, 1_500, "switch", 0, 1.5),
        event(3, 2_000, "pause"),
    ]
    heard = listening(events, [4.0, 4.0], 5_000)
    assert heard.clips[0].spans == ((0.0, 0.5), (1.5, 2.0))
    assert heard.clips[1].spans == ((0.5, 1.5),)
    assert heard.switches == 2
    assert heard.first_plays == (0, 1)
    assert [clip.plays for clip in heard.clips] == [2, 1]


def test_hearing_a_part_twice_adds_seconds_but_no_share():
    events = [
        event(0, 0, "play", 0, 0.0),
        event(1, 1_000, "seek", 0, 0.0),
        event(2, 2_000, "pause"),
    ]
    clip = listening(events, [4.0], 2_000).clips[0]
    assert (clip.seconds, clip.share, clip.spans) == (2.0, 0.25, ((0.0, 1.0),))


def test_a_loop_goes_round_its_region():
    events = [event(0, 0, "loop", at=1.0, to=2.0), event(1, 0, "play", 0, 1.0)]
    clip = listening([*events, event(2, 3_500, "pause")], [4.0], 4_000).clips[0]
    assert clip.seconds == pytest.approx(3.5)
    assert clip.spans == ((1.0, 2.0),)


def test_time_in_the_background_is_not_active():
    events = [event(0, 1_000, "hidden"), event(1, 4_000, "visible"), event(2, 9_000, "hidden")]
    heard = listening(events, [1.0], 10_000)
    assert (heard.hidden_s, heard.active_s) == (4.0, 6.0)


def test_an_event_that_came_twice_counts_once_and_order_is_by_number():
    events = [event(0, 0, "play", 0, 0.0), event(1, 1_000, "pause")]
    expected = listening(events, [2.0], 2_000)
    assert listening([events[1], events[0], events[1]], [2.0], 2_000) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["play", "pause", "switch", "seek", "ended", "loop", "hidden"]),
            st.integers(0, 2),
            st.floats(0, 5),
            st.floats(0, 5),
            st.floats(0, 2_000),
        ),
        max_size=25,
    )
)
def test_nobody_hears_more_than_time_allows_or_more_than_there_is(steps):
    ms, events, durations = 0.0, [], [1.0, 3.0]
    for n, (type_, clip, at, to, wait_ms) in enumerate(steps):
        ms += wait_ms
        events.append(event(n, ms, type_, clip, at, to))
    heard = listening(events, durations, ms)
    assert sum(clip.seconds for clip in heard.clips) <= ms / 1_000 + 1e-6
    for clip, duration in zip(heard.clips, durations, strict=True):
        assert 0 <= clip.share <= 1
        assert all(0 <= begin <= end <= duration + 1e-3 for begin, end in clip.spans)
