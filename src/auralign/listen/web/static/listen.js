// A sitting: start, one trial after another, and the way to the code.

import { Api, ApiError } from "./api.js";
import {
  brokenClipsCard,
  errorCard,
  loadingCard,
  onceMoreCard,
  partCard,
  restCard,
  staleCard,
  startCard,
} from "./cards.js";
import { announce, setNotice, show } from "./dom.js";
import { BrokenClipError, Material } from "./material.js";
import { Outbox, randomName } from "./outbox.js";
import { Recorder } from "./recorder.js";
import { retry } from "./retry.js";
import { TrialPage } from "./trial_page.js";

const TAB = "auralign-tab";
const FLUSH_MS = 5_000;
const REFUSED_BY_STATE = ["already_answered", "conflict", "not_found"];

class Sitting {
  constructor() {
    const csrf = document.querySelector("meta[name=csrf-token]").content;
    this.tab = ownTab();
    this.api = new Api(csrf, this.tab);
    this.recorder = null;
    this.trial = null;
    this.page = null;
    this.flushing = false;
    setInterval(() => this.sendEvents(), FLUSH_MS);
    addEventListener("pagehide", () => {
      this.page?.pause();
      this.sendEvents({ keepalive: true });
    });
    document.addEventListener("visibilitychange", () => {
      this.recorder?.record(document.visibilityState);
    });
    for (const type of ["offline", "online"]) {
      addEventListener(type, () => this.recorder?.record(type));
    }
  }

  /** From the first page to the code. */
  async run() {
    const session = await retry(() => this.api.get("/api/session"), sayDelay);
    this.outbox = await Outbox.open(this.api, session.session, sayDelay);
    await this.outbox.sendWaiting();
    const now = await retry(() => this.api.get("/api/session"), sayDelay);
    if (now.state !== "running") return finish();
    await startCard(now);
    this.#openSound();
    await this.#claim();
    await this.#trials();
    return finish();
  }

  /** Send what happened in the open trial; what does not arrive is sent again. */
  async sendEvents(options = {}) {
    const waits = this.flushing && !options.keepalive;
    if (!this.trial || waits || !this.recorder.unsent.length) return;
    const { recorder } = this;
    const batch = recorder.batch();
    this.flushing = true;
    try {
      await this.api.post(`/api/trials/${this.trial.trial}/events`, batch, options);
      recorder.acknowledge(batch);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    } finally {
      this.flushing = false;
    }
  }

  /** Called in answer to a tap, which is when browsers let a page make sound. */
  #openSound() {
    this.context = new AudioContext();
    this.context.resume();
    this.output = new AnalyserNode(this.context, { fftSize: 2048 });
    this.output.connect(this.context.destination);
    this.material = new Material(this.api, this.context, sayDelay);
  }

  async #claim() {
    const { sampleRate, baseLatency, outputLatency, destination } = this.context;
    const device = {
      sample_rate: sampleRate,
      base_latency_s: baseLatency ?? null,
      output_latency_s: outputLatency ?? null,
      channels: destination.maxChannelCount,
      touch: navigator.maxTouchPoints > 0,
      width_px: window.innerWidth,
    };
    await retry(() => this.api.post("/api/session/tab", { tab: this.tab, device }), sayDelay);
  }

  async #trials() {
    let before = null;
    for (;;) {
      const trial = await this.#nextTrial();
      if (trial === null) return;
      if (before) await interlude(before, trial);
      if (await this.#take(trial)) before = trial;
    }
  }

  /** The current trial; where another tab has taken over, the listener is asked first. */
  async #nextTrial() {
    for (;;) {
      try {
        return await retry(() => this.api.get("/api/trial"), sayDelay);
      } catch (error) {
        if (error.code !== "stale_tab") throw error;
        await staleCard();
        this.context.resume();
        await this.#claim();
      }
    }
  }

  /** Load, ask and store one trial; false where its clips could not be played. */
  async #take(trial) {
    try {
      const buffers = await this.material.load(trial.clips, loadingCard(trial.clips.length));
      this.material.prefetch(trial.prefetch);
      await this.#ask(trial, buffers);
      return true;
    } catch (error) {
      if (!(error instanceof BrokenClipError)) throw error;
      await this.#replace(trial, error);
      return false;
    }
  }

  async #ask(trial, buffers) {
    this.trial = trial;
    this.recorder = new Recorder(trial.resume);
    // What sounded on a page that went away without a word is silent now.
    if (trial.resume.n > 0) this.recorder.record("pause");
    const page = new TrialPage(trial, buffers, this.output, this.recorder);
    this.page = page;
    showLevel(trial.playback, this.output);
    show(...page.nodes);
    try {
      let stored = false;
      while (!stored) stored = await this.#store(trial, await page.answered(), page);
    } finally {
      this.trial = null;
      this.page = null;
      page.close();
    }
  }

  /** Whether the answer is stored, or the trial over; false where more has to be heard. */
  async #store(trial, replies, page) {
    const answer = { replies, ...this.recorder.batch(), ms: this.recorder.ms };
    try {
      await this.outbox.send(trial.trial, answer);
      announce("Your answer is stored.");
      return true;
    } catch (error) {
      if (REFUSED_BY_STATE.includes(error.code)) return true;
      if (error.code !== "not_heard") throw error;
      setNotice("Not everything was heard. Please listen to the clips named below once more.");
      page.hearAgain(error.details.problems);
      return false;
    }
  }

  async #replace(trial, error) {
    const path = `/api/trials/${trial.trial}/failure`;
    const sent = { reason: error.message };
    const { replaced } = await retry(() => this.api.post(path, sent), sayDelay);
    if (!replaced) await brokenClipsCard();
  }
}

/** What comes between two trials, if anything does. */
async function interlude(before, trial) {
  if (before.part !== trial.part) await partCard(before.part);
  else if (trial.part === "headphones" && trial.number < before.number) await onceMoreCard();
  else if (trial.rest) await restCard(trial);
}

/** The tab's name. It is taken out while the page lives: a duplicated tab gets one of its own. */
function ownTab() {
  const tab = sessionStorage.getItem(TAB) ?? randomName();
  sessionStorage.removeItem(TAB);
  addEventListener("pagehide", () => sessionStorage.setItem(TAB, tab));
  return tab;
}

function sayDelay(error) {
  if (error === null) setNotice("");
  else if (error.status === 0 || !navigator.onLine) {
    setNotice(
      "There is no connection. What you answered is kept on this device and is sent as soon as " +
        "the connection is back. Please leave this page open.",
    );
  } else {
    setNotice(`The server cannot store this yet (${error.message}). It is tried again.`);
  }
}

/** For tests that ask for it in the settings: how loud (RMS) the sound is that goes out now. */
function showLevel({ expose_level: exposed }, output) {
  if (!exposed) return;
  window.auralignLevel = () => {
    const samples = new Float32Array(output.fftSize);
    output.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  };
}

function finish() {
  window.location.assign("/done");
}

async function main() {
  try {
    await new Sitting().run();
  } catch (error) {
    await errorCard(error.message);
    window.location.reload();
  }
}

main();
