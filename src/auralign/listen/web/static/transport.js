// The controls of the player: a button for each clip, play and pause, the position, the loop.

import { announce, el, write } from "./dom.js";
import { SHORTEST_LOOP_S } from "./player.js";

const TICK_MS = 100;

export class Transport {
  /**
   * clips   those of the trial, each with the `name` that the listener sees and its `heard` spans
   */
  constructor(player, clips, { loop, mustHear }) {
    Object.assign(this, { player, clips, mustHear, shown: [], dragged: false });
    this.toggle = el("button", { type: "button", class: "toggle", click: () => this.playPause() });
    this.slider = el("input", {
      type: "range",
      class: "position",
      min: 0,
      step: 0.1,
      max: player.longestS,
      value: 0,
      "aria-label": "Position in the clip",
      input: () => (this.dragged = true),
      change: () => this.#seek(),
    });
    this.time = el("span", { class: "time", "aria-hidden": "true" });
    this.loopParts = loop ? this.#loopButtons() : null;
    this.element = el(
      "div",
      { class: "transport" },
      el("div", { class: "row" }, this.toggle, this.slider, this.time),
      this.loopParts?.row ?? null,
    );
    this.timer = setInterval(() => this.refresh(), TICK_MS);
    this.refresh();
  }

  /** A button that plays clip `index`; there may be several of one clip. */
  clipButton(index) {
    const mark = el("span", { class: "mark", "aria-hidden": "true" });
    const button = el(
      "button",
      { type: "button", class: "clip", "data-clip": index, click: () => this.press(index) },
      el("span", { class: "name" }, this.clips[index].name),
      mark,
    );
    this.shown.push({ button, mark, index });
    return button;
  }

  /** Play a clip, or stop it where it is the one that sounds. */
  press(index) {
    const sounds = this.player.playing && this.player.clip === index;
    if (sounds && !this.player.restart) this.player.pause();
    else this.player.play(index);
    announce(this.player.playing ? `${this.clips[index].name} plays` : "Paused");
    this.refresh();
  }

  playPause() {
    if (this.player.playing) this.player.pause();
    else this.player.play();
    announce(this.player.playing ? `${this.clips[this.player.clip].name} plays` : "Paused");
    this.refresh();
  }

  /** Go on by some seconds, or back. */
  skip(seconds) {
    this.player.seek(this.player.position() + seconds);
    this.refresh();
  }

  loopAll() {
    const whole = { low: 0, high: this.player.longestS };
    this.#setLoop(this.player.loop === null ? whole : null);
  }

  /** Let the loop begin here, or end here. */
  loopFrom() {
    const latest = Math.min(...this.player.buffers.map((b) => b.duration)) - SHORTEST_LOOP_S;
    const low = Math.max(0, Math.min(this.player.position(), latest));
    const high = Math.max(this.player.loop?.high ?? this.player.longestS, low + SHORTEST_LOOP_S);
    this.#setLoop({ low, high });
  }

  loopTo() {
    const low = this.player.loop?.low ?? 0;
    this.#setLoop({ low, high: Math.max(this.player.position(), low + SHORTEST_LOOP_S) });
  }

  close() {
    clearInterval(this.timer);
    this.player.close();
  }

  refresh() {
    this.player.tick();
    const { player } = this;
    const [at, end] = [player.position(), player.buffers[player.clip].duration];
    if (!this.dragged) this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${end.toFixed(1)} seconds`);
    write(this.time, `${at.toFixed(1)} / ${end.toFixed(1)} s`);
    write(this.toggle, player.playing ? "Pause" : "Play");
    this.toggle.classList.toggle("sounds", player.playing);
    for (const shown of this.shown) this.#refreshClip(shown);
  }

  #refreshClip({ button, mark, index }) {
    const { name, heard, duration_s } = this.clips[index];
    const sounds = this.player.playing && this.player.clip === index;
    const done = this.mustHear(index) <= heard.seconds;
    button.classList.toggle("sounds", sounds);
    button.style.setProperty("--heard", stripes(heard.spans, duration_s));
    write(mark, sounds ? "playing" : done ? "heard" : heard.seconds > 0 ? "partly" : "play");
    button.setAttribute("aria-pressed", String(sounds));
    button.setAttribute("aria-label", done ? `${name}, play, heard` : `${name}, play`);
  }

  #seek() {
    this.dragged = false;
    this.player.seek(Number(this.slider.value));
    this.refresh();
  }

  #setLoop(loop) {
    this.player.setLoop(loop);
    const { toggle, region } = this.loopParts;
    toggle.setAttribute("aria-pressed", String(loop !== null));
    const whole = loop === null || (loop.low === 0 && loop.high >= this.player.longestS);
    region.textContent = whole ? "" : `${loop.low.toFixed(1)} to ${loop.high.toFixed(1)} s`;
    announce(loop === null ? "The loop is off" : `The loop is on ${region.textContent}`);
    this.refresh();
  }

  #loopButtons() {
    const button = (text, work, attributes = {}) =>
      el("button", { type: "button", class: "small", click: () => work(), ...attributes }, text);
    const toggle = button("Loop", () => this.loopAll(), { "aria-pressed": "false" });
    const region = el("span", { class: "time" });
    const from = button("From here", () => this.loopFrom(), { "aria-label": "Loop from here" });
    const to = button("To here", () => this.loopTo(), { "aria-label": "Loop to here" });
    return { toggle, region, row: el("div", { class: "row loop" }, toggle, from, to, region) };
  }
}

/** The parts that were heard, as a picture: where a clip lacks something, a listener can seek. */
function stripes(spans, duration) {
  const percent = (seconds) => `${((100 * seconds) / duration).toFixed(1)}%`;
  const stops = spans
    .toSorted((a, b) => a[0] - b[0])
    .flatMap(([begin, end]) => [
      `transparent ${percent(begin)}`,
      `var(--stripe) ${percent(begin)} ${percent(end)}`,
      `transparent ${percent(end)}`,
    ]);
  return `linear-gradient(to right, ${["transparent 0%", ...stops, "transparent 100%"].join(", ")})`;
}
