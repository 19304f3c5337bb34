// What happens on the page during one trial, numbered and timed by a monotonic clock.

const MOST = 2_000;

export class Recorder {
  /** `resume` is where numbers and clock go on after a refresh. */
  constructor(resume) {
    this.next = resume.n;
    this.origin = performance.now() - resume.ms;
    this.unsent = [];
    this.dropped = 0;
  }

  /** Milliseconds since the trial was first shown, without the time between two pages. */
  get ms() {
    return Math.round(10 * (performance.now() - this.origin)) / 10;
  }

  /** Note that `type` happened; facts are `clip`, `at` and `to` [s], and `ms` where not now. */
  record(type, { ms = this.ms, ...facts } = {}) {
    if (this.next >= MOST) {
      this.dropped += 1;
      return;
    }
    this.unsent.push({ n: this.next, ms, type, ...rounded(facts) });
    this.next += 1;
  }

  /** What the server has not acknowledged yet. */
  batch() {
    return { events: [...this.unsent], dropped: this.dropped };
  }

  acknowledge(batch) {
    const sent = new Set(batch.events.map(({ n }) => n));
    this.unsent = this.unsent.filter(({ n }) => !sent.has(n));
    this.dropped -= batch.dropped;
  }
}

function rounded(facts) {
  const entries = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, Math.round(1e4 * value) / 1e4]));
}
