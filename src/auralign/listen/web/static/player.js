// All clips of a trial on one clock, each behind a gain of its own; one gain is open.
//
// Switching closes one gain and then opens another, both along a raised cosine, without a jump in
// time. Clips were brought to one loudness by the server, so an open gain is 1 for every clip.

const LEAD_S = 0.01;
const SAME_S = 1e-3;
const OPENING = Float32Array.from({ length: 65 }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * i) / 64));
const CLOSING = OPENING.toReversed();

export const SHORTEST_LOOP_S = 0.5;

export class Player {
  /**
   * buffers    decoded clips
   * output     node that everything goes to
   * restart    whether another clip starts from its beginning
   * onEvent    gets what happens as (type, {clip, at, to, ms}), for the record
   * onHeard    gets what sounded as (clip, begin, end) [s]
   */
  constructor(buffers, output, { fadeS, restart, onEvent, onHeard }) {
    Object.assign(this, { buffers, output, fadeS, restart, onEvent, onHeard });
    this.context = output.context;
    this.clip = 0;
    this.at = 0;
    this.began = 0;
    this.marked = 0;
    this.settled = 0;
    this.loop = null;
    this.voices = null;
    this.onStateChange = () => this.#stateChanged();
    this.context.addEventListener("statechange", this.onStateChange);
  }

  get playing() {
    return this.voices !== null;
  }

  get longestS() {
    return Math.max(...this.buffers.map((buffer) => buffer.duration));
  }

  /** Where clip `index` is [s]: of the clock, not of what the listener did last. */
  position(index = this.clip) {
    const end = this.buffers[index].duration;
    if (!this.playing) return Math.min(this.at, end);
    const now = this.at + Math.max(0, this.context.currentTime - this.began);
    if (this.loop === null) return Math.min(now, end);
    const [low, high] = [this.loop.low, Math.min(this.loop.high, end)];
    return now < high ? now : low + ((now - high) % (high - low));
  }

  /** Let `clip` sound: from where it is, or from where the one before it was. */
  play(clip = this.clip) {
    // Browsers open the sound only in answer to a gesture, which this call is part of.
    if (this.context.state !== "running") this.context.resume();
    if (!this.playing) this.#begin("play", clip, this.restart && clip !== this.clip ? 0 : this.at);
    else if (clip !== this.clip) this.#switchTo(clip);
    else if (this.restart) this.#begin("switch", clip, 0);
  }

  pause() {
    if (!this.playing) return;
    this.tick();
    this.at = this.position();
    this.#stop();
    this.onEvent("pause", { clip: this.clip, at: this.at });
  }

  seek(at) {
    const target = Math.max(0, Math.min(at, this.buffers[this.clip].duration - 0.05));
    if (this.playing) this.#begin("seek", this.clip, target);
    else this.at = target;
  }

  /** Repeat from `low` to `high` [s]; null plays to the end. Longer than a clip means its end. */
  setLoop(loop) {
    const { playing } = this;
    this.tick();
    const at = this.position();
    this.#stop();
    Object.assign(this, { at, loop });
    this.onEvent("loop", loop === null ? {} : { at: loop.low, to: loop.high });
    if (!playing) return;
    const beyond = loop !== null && at >= Math.min(loop.high, this.buffers[this.clip].duration);
    this.#begin("seek", this.clip, beyond ? loop.low : at);
  }

  /** Tell what has sounded since the last time. */
  tick() {
    if (!this.playing) return;
    const now = this.position();
    if (now >= this.marked) this.onHeard(this.clip, this.marked, now);
    else {
      this.onHeard(this.clip, this.marked, Math.min(this.loop.high, this.buffers[this.clip].duration));
      this.onHeard(this.clip, this.loop.low, now);
    }
    this.marked = now;
  }

  /** Be silent, and forget the clips. */
  close() {
    this.pause();
    this.context.removeEventListener("statechange", this.onStateChange);
  }

  #switchTo(clip) {
    this.tick();
    const at = this.position();
    const inStep = this.voices[clip] && Math.abs(this.position(clip) - at) < SAME_S;
    if (this.restart || !inStep) {
      this.#begin("switch", clip, this.restart ? 0 : at);
      return;
    }
    const when = this.#soonest();
    this.#fade(this.voices[this.clip], CLOSING, when);
    this.#fade(this.voices[clip], OPENING, when + this.fadeS);
    this.settled = when + 2 * this.fadeS;
    this.clip = clip;
    this.marked = at;
    this.onEvent("switch", { clip, at });
  }

  #begin(type, clip, at) {
    this.tick();
    this.#stop();
    const from = at < this.buffers[clip].duration - SAME_S ? at : 0;
    this.began = this.#soonest();
    Object.assign(this, { clip, at: from, marked: from });
    this.voices = this.buffers.map((buffer) => this.#voice(buffer, from));
    // A clip begins as it was recorded; only what starts in the middle needs a fade.
    const { gain } = this.voices[clip].gain;
    if (from > 0) this.#fade(this.voices[clip], OPENING, this.began);
    else gain.setValueAtTime(1, this.began);
    this.settled = this.began + this.fadeS;
    this.startedMs = performance.now();
    this.onEvent(type, { clip, at: from });
  }

  #voice(buffer, from) {
    if (from >= buffer.duration) return null;
    const { context, loop } = this;
    const source = new AudioBufferSourceNode(context, { buffer });
    const gain = new GainNode(context, { gain: 0 });
    source.connect(gain).connect(this.output);
    if (loop !== null) {
      const loopEnd = Math.min(loop.high, buffer.duration);
      Object.assign(source, { loop: true, loopStart: loop.low, loopEnd });
    }
    const voice = { source, gain };
    source.onended = () => this.#ended(voice);
    source.start(this.began, from);
    return voice;
  }

  #ended(voice) {
    if (!this.playing || voice !== this.voices[this.clip]) return;
    const { clip, at } = this;
    const end = this.buffers[clip].duration;
    this.onHeard(clip, this.marked, end);
    this.#stop();
    this.at = 0;
    // The clock of the sound may run a little ahead of the page's.
    const early = 1_000 * (end - at) - (performance.now() - this.startedMs);
    this.onEvent("ended", { clip, at: end, early: Math.max(0, early) });
  }

  #stop() {
    if (!this.playing) return;
    const [voices, when] = [this.voices, this.#soonest()];
    this.voices = null;
    this.#fade(voices[this.clip], CLOSING, when);
    this.settled = when + this.fadeS;
    for (const voice of voices) voice?.source.stop(this.settled);
  }

  #stateChanged() {
    if (this.context.state === "running" || !this.playing) return;
    this.pause();
    this.onEvent("suspended", { clip: this.clip, at: this.at });
  }

  /** When the next change of a gain may begin: not while another one is under way. */
  #soonest() {
    return Math.max(this.context.currentTime + LEAD_S, this.settled + SAME_S);
  }

  #fade({ gain }, curve, when) {
    if (this.fadeS > 0) gain.gain.setValueCurveAtTime(curve, when, this.fadeS);
    else gain.gain.setValueAtTime(curve.at(-1), when);
  }
}
