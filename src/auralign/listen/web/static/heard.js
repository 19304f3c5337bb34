// Which parts of a clip have been heard, as spans [s] that do not overlap.

export class Heard {
  constructor(spans = []) {
    this.spans = spans.map((span) => [...span]);
  }

  get seconds() {
    return this.spans.reduce((sum, [begin, end]) => sum + end - begin, 0);
  }

  add(begin, end) {
    if (end <= begin) return;
    const apart = this.spans.filter(([from, to]) => to < begin || from > end);
    const touching = this.spans.filter(([from, to]) => to >= begin && from <= end);
    const from = Math.min(begin, ...touching.map((span) => span[0]));
    const to = Math.max(end, ...touching.map((span) => span[1]));
    this.spans = [...apart, [from, to]];
  }

  forget() {
    this.spans = [];
  }
}
