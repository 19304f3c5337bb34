"""What leaves the player: clips in step, fades without a click, loops, and a record that agrees.

The player is given an offline context, which renders what would be heard as numbers. Clip 0 rises
with time, clip 1 falls, so that every sample says which clip it is from and where in it.
"""

import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RATE = 8_000
FADE_S = 0.005
RENDER = """
async ({ seconds, rate, fadeS, restart, lengths, script }) => {
  const { Player } = await import("/static/player.js");
  const context = new OfflineAudioContext(1, seconds * rate, rate);
  // An offline context cannot be resumed before it renders, which the player would do.
  const resume = context.resume.bind(context);
  context.resume = async () => {};
  const output = new GainNode(context);
  output.connect(context.destination);
  const buffers = lengths.map((length, i) => {
    const buffer = new AudioBuffer({ length: length * rate, sampleRate: rate });
    const sign = i === 0 ? 1 : -1;
    buffer.getChannelData(0).forEach((_, n, samples) => { samples[n] = sign * (1 + n / rate); });
    return buffer;
  });
  const [events, heard] = [[], []];
  const player = new Player(buffers, output, {
    fadeS,
    restart,
    onEvent: (type, facts) => events.push([type, facts.clip ?? null, facts.at ?? null]),
    onHeard: (...span) => heard.push(span),
  });
  for (const [at, name, ...given] of script) {
    if (at === 0) player[name](...given);
    else context.suspend(at).then(() => {
      player[name](...given);
      resume();
    });
  }
  const rendered = await context.startRendering();
  return { samples: [...rendered.getChannelData(0)], events, heard };
}
"""


@pytest.fixture
def render(serve_test, open_browser):
    """Plays a script of calls `(time [s], method, arguments)`; gives samples, events and spans."""
    _, url = serve_test({"type": "ab"})
    page = open_browser().new_page()
    page.goto(url)

    def render(*script, seconds=1.0, restart=False, lengths=(2, 2)):
        given = {"seconds": seconds, "rate": RATE, "fadeS": FADE_S, "restart": restart}
        told = page.evaluate(RENDER, {**given, "lengths": lengths, "script": script})
        return np.array(told["samples"]), told["events"], told["heard"]

    return render


def at(samples, time_s):
    return samples[round(time_s * RATE)]


def test_another_clip_goes_on_where_the_one_before_was(render):
    samples, events, _ = render((0, "play", 0), (0.512, "play", 1))
    # Both begin 10 ms after the call, when their gains are ready.
    assert at(samples, 0.4) == pytest.approx(1 + 0.39, abs=1e-3)
    assert at(samples, 0.9) == pytest.approx(-(1 + 0.89), abs=1e-3)
    assert [event[:2] for event in events] == [["play", 0], ["switch", 1]]
    assert events[1][2] == pytest.approx(0.502, abs=0.02)


def test_one_gain_closes_before_the_other_opens_along_a_raised_cosine(render):
    samples, _, _ = render((0, "play", 0), (0.512, "play", 1))
    turn = int(np.flatnonzero(samples < 0)[0])
    n = round(FADE_S * RATE)
    position = np.arange(samples.size) / RATE - 0.01
    gain = np.abs(samples) / (1 + np.maximum(position, 0))
    raised = 0.5 - 0.5 * np.cos(np.pi * np.arange(n) / n)
    np.testing.assert_allclose(gain[turn - 1 : turn - 1 + n], raised, atol=0.03)
    np.testing.assert_allclose(gain[turn - 1 - n : turn - 1], raised[::-1], atol=0.06)
    # No step is steeper than the cosine at its middle.
    after_start = gain[round(0.1 * RATE) :]
    assert np.abs(np.diff(after_start)).max() < np.pi / 2 / n * 1.1


def test_with_restart_another_clip_begins_at_its_beginning(render):
    samples, events, _ = render((0, "play", 0), (0.512, "play", 1), restart=True)
    assert events[1] == ["switch", 1, 0]
    assert at(samples, 0.9) == pytest.approx(-(1 + 0.9 - 0.53), abs=0.02)


def test_a_loop_repeats_its_region_in_both_clips(render):
    region = {"low": 0.25, "high": 0.75}
    samples, events, heard = render(
        (0, "setLoop", region), (0, "play", 0), (1.536, "play", 1), (1.92, "pause"), seconds=2
    )
    # Position 0.75 comes at 0.76 s, and the region lasts 0.5 s.
    assert at(samples, 1.36) == pytest.approx(1 + 0.25 + (1.35 - 0.75) % 0.5, abs=2e-3)
    assert at(samples, 1.8) == pytest.approx(-(1 + 0.25 + (1.79 - 0.75) % 0.5), abs=2e-3)
    assert [event[0] for event in events] == ["loop", "play", "switch", "pause"]
    assert all(0 <= begin < end <= 0.75 for _, begin, end in heard)


def test_pausing_fades_to_silence_and_playing_goes_on_from_there(render):
    samples, events, _ = render((0, "play", 0), (0.256, "pause"), (0.512, "play"))
    assert np.abs(samples[round(0.29 * RATE) : round(0.51 * RATE)]).max() == 0
    assert events[2][2] == pytest.approx(events[1][2])
    assert at(samples, 0.9) == pytest.approx(1 + events[1][2] + 0.9 - 0.522, abs=2e-3)


def test_a_clip_that_is_shorter_than_the_position_begins_again(render):
    samples, events, _ = render((0, "play", 0), (0.768, "play", 1), lengths=(2, 0.5))
    assert events[1] == ["switch", 1, 0]
    assert at(samples, 0.95) == pytest.approx(-(1 + 0.95 - 0.785), abs=0.02)


def test_what_was_heard_is_told_without_gaps(render):
    _, _, heard = render(
        (0, "play", 0), (0.256, "tick"), (0.384, "play", 1), (0.64, "seek", 1.2), (0.768, "pause")
    )
    assert [clip for clip, _, _ in heard] == [0, 0, 1, 1]
    (_, a, b), (_, c, d), (_, e, f), (_, g, h) = heard
    assert (a, b, d, g) == (0, c, pytest.approx(e), pytest.approx(1.2))
    assert b < d < f < g < h
