// One trial on the page: what is heard, what is asked, and whether both are done.

import { announce, el } from "./dom.js";
import { guidelines } from "./guidelines.js";
import { Heard } from "./heard.js";
import { keysOf, legendOf, listenToKeys } from "./keys.js";
import { Player } from "./player.js";
import { QuestionForm } from "./question.js";
import { Transport } from "./transport.js";

const DRAFT = "auralign-draft";
const TITLES = { headphones: "Headphone check", training: "Practice" };
const SUBTITLES = {
  headphones: "Three sounds follow each other. You need headphones to tell them apart.",
  training: "This one is to get used to the page.",
};
const FORGIVEN_S = 0.05;

export class TrialPage {
  /** `buffers` are the decoded clips, `output` the node that they go to. */
  constructor(trial, buffers, output, recorder) {
    this.trial = trial;
    this.recorder = recorder;
    this.clips = trial.clips.map((clip, i) => ({
      ...clip,
      name: nameOf(clip, trial.clips),
      heard: new Heard(trial.resume.heard[i]),
    }));
    const { playback } = trial;
    const player = new Player(buffers, output, {
      fadeS: playback.fade_ms / 1_000,
      restart: playback.restart,
      onEvent: (type, { early = 0, ...facts }) =>
        recorder.record(type, { ...facts, ms: recorder.ms + early }),
      onHeard: (clip, begin, end) => this.#heard(clip, begin, end),
    });
    const mustHear = (index) => this.#mustHear(index);
    this.transport = new Transport(player, this.clips, { loop: playback.loop, mustHear });
    this.forms = this.#forms();
    this.next = el("button", { type: "button", class: "primary", click: () => this.submit() });
    this.next.textContent = "Next";
    this.hint = el("p", { class: "hint", id: "hint" });
    this.next.setAttribute("aria-describedby", "hint");
    this.keys = this.#keys();
    this.nodes = this.#nodes();
    this.#restore();
    this.transport.refresh();
    this.stopKeys = listenToKeys(this.keys);
    this.#refresh();
  }

  /** Resolves to the replies when the listener has answered everything and goes on. */
  answered() {
    this.#setBusy(false);
    return new Promise((resolve) => {
      this.onAnswer = resolve;
    });
  }

  submit() {
    if (this.next.disabled) return;
    const unheard = this.#unheard();
    const open = this.forms.find((form) => form.missing);
    if (unheard.length) {
      announce(this.hint.textContent);
      this.hint.classList.add("problem");
    } else if (open) open.complain();
    else {
      this.pause();
      this.#setBusy(true);
      this.onAnswer(Object.fromEntries(this.forms.map((form) => [form.question.id, form.reply])));
    }
  }

  /** The server has not heard of these clips (`unheard:A`) to their end: begin again with them. */
  hearAgain(problems) {
    const labels = problems.map((problem) => problem.split(":")[1]);
    for (const clip of this.clips) {
      if (labels.includes(clip.label)) clip.heard.forget();
    }
    this.transport.refresh();
    this.#refresh();
  }

  pause() {
    this.transport.player.pause();
  }

  close() {
    this.stopKeys();
    this.transport.close();
    sessionStorage.removeItem(DRAFT);
  }

  #forms() {
    const stimuli = this.clips.filter(({ part }) => part === "stimulus");
    return this.trial.questions.map(
      (question) =>
        new QuestionForm(question, {
          stimuli,
          transport: this.transport,
          onChange: () => this.#changed(),
          onMove: (clip) => this.recorder.record("change", { clip }),
        }),
    );
  }

  #keys() {
    return keysOf({
      clips: this.clips,
      transport: this.transport,
      loop: this.trial.playback.loop,
      choices: this.trial.questions.some(({ widget }) => widget === "choice"),
      choose: (digit) => this.#activeForm()?.press(digit),
      submit: () => this.submit(),
    });
  }

  #nodes() {
    const { trial } = this;
    const ownButtons = trial.questions.every(({ widget }) => widget !== "choice");
    const shown = this.clips.filter(({ part }) => part === "reference" || !ownButtons);
    const buttons = inReadingOrder(shown).map(({ index }) => this.transport.clipButton(index));
    const title = TITLES[trial.part] ?? `Question ${trial.number}`;
    return [
      progress(trial),
      el("h2", { class: trial.part === "main" ? "unseen" : "" }, title),
      trial.part === "main" ? null : el("p", {}, SUBTITLES[trial.part]),
      trial.prompt ? el("blockquote", {}, trial.prompt) : null,
      trial.options.speaker ? speaker(trial.options.speaker) : null,
      trial.options.guidelines === "detailed" ? guidelines() : null,
      el(
        "div",
        { class: "player" },
        buttons.length ? el("div", { class: "clips" }, ...buttons) : null,
        this.transport.element,
      ),
      ...this.forms.map((form) => form.element),
      el("div", { class: "next" }, this.next, this.hint),
      legendOf(this.keys),
    ];
  }

  /** The question that a digit answers: the one with the focus, or the first open one. */
  #activeForm() {
    const focused = this.forms.find((form) => form.element.contains(document.activeElement));
    return focused ?? this.forms.find((form) => form.missing) ?? this.forms.at(-1);
  }

  #heard(clip, begin, end) {
    const { heard } = this.clips[clip];
    const before = this.#mustHear(clip) <= heard.seconds;
    heard.add(begin, end);
    if (!before && this.#mustHear(clip) <= heard.seconds) this.#refresh();
  }

  /** Seconds of a clip that have to be heard; timers lose a few at its end. */
  #mustHear(index) {
    const { playback, part } = this.trial;
    const clip = this.clips[index];
    const free = part === "headphones" || clip.part === "reference";
    if (free || playback.if_unheard !== "refuse") return clip.duration_s - FORGIVEN_S;
    return playback.must_listen * (clip.duration_s - FORGIVEN_S);
  }

  #unheard() {
    const { playback, part } = this.trial;
    if (part === "headphones" || playback.if_unheard !== "refuse") return [];
    return this.clips.filter(
      (clip) => clip.part === "stimulus" && clip.heard.seconds < this.#mustHear(clip.index),
    );
  }

  #changed() {
    const drafts = Object.fromEntries(this.forms.map((form) => [form.question.id, form.draft]));
    keepDraft({ trial: this.trial.trial, drafts });
    this.#refresh();
  }

  #restore() {
    const kept = readDraft();
    if (kept?.trial !== this.trial.trial) return;
    for (const form of this.forms) form.restore(kept.drafts[form.question.id]);
  }

  #refresh() {
    const names = this.#unheard().map(({ name }) => name);
    const open = this.forms.some((form) => form.missing);
    const toHear = names.length ? `Still to hear in full: ${names.join(", ")}.` : "";
    this.hint.textContent = toHear || (open ? "Answer above, then go on." : "");
    if (!names.length) this.hint.classList.remove("problem");
    this.next.classList.toggle("waits", names.length > 0 || open);
  }

  #setBusy(busy) {
    this.next.disabled = busy;
    this.next.textContent = busy ? "Saving ..." : "Next";
    for (const form of this.forms) form.element.disabled = busy;
  }
}

function nameOf(clip, clips) {
  const stimuli = clips.filter(({ part }) => part === "stimulus");
  return clip.part === "stimulus" && stimuli.length === 1 ? "Clip" : clip.label;
}

/** The reference first, because that is where it is looked for. */
function inReadingOrder(clips) {
  return clips.toSorted((a, b) => (b.part === "reference") - (a.part === "reference"));
}

function progress({ number, of }) {
  const words = `${number} of ${of}`;
  const bar = el("progress", { max: of, value: number - 1, "aria-label": `Question ${words}` });
  return el("div", { class: "progress" }, bar, el("span", { "aria-hidden": "true" }, words));
}

function speaker(name) {
  return el("p", { class: "note" }, "Judge only what ", el("strong", {}, name), " says.");
}

function keepDraft(draft) {
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify(draft));
  } catch {
    // A refresh then begins with empty questions.
  }
}

function readDraft() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT));
  } catch {
    return null;
  }
}
