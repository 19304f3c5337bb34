// One question of a trial: its widget, and how much, why and whether at all beside it.

import { el } from "./dom.js";
import { bestWorst, choice, ranking, scale } from "./widgets.js";

const WIDGETS = { choice: (given) => asChoice(given), scale, ranking, best_worst: bestWorst };
const MAX_TEXT = 4_000;

function asChoice({ question, onChange }) {
  return choice({ options: question.options, label: question.text, onChange, keys: true });
}

export class QuestionForm {
  /** `onChange` is called after every change, `onMove` with the clip whose slider was let go. */
  constructor(question, { stimuli, transport, onChange, onMove }) {
    this.question = question;
    const changed = () => {
      this.#refresh();
      onChange();
    };
    const given = { question, stimuli, transport, onChange: changed, onMove };
    this.widget = WIDGETS[question.widget](given);
    this.strength = question.strength.length ? strengths(question, changed) : null;
    this.tags = question.tags.map((tag) => checkbox(tag, changed));
    this.text = question.free_text ? textField(changed) : null;
    this.skip = question.may_skip ? checkbox("I cannot answer this", changed) : null;
    this.problem = el("p", { class: "problem", hidden: true });
    this.element = el(
      "fieldset",
      { class: "question" },
      el("legend", {}, question.text),
      this.widget.element,
      this.strength?.element ?? null,
      this.#reasons(),
      this.skip?.element ?? null,
      this.problem,
    );
    this.#refresh();
  }

  /** What is missing, as a sentence; empty when the question is answered. */
  get missing() {
    if (this.skip?.input.checked) return "";
    if (this.widget.value === undefined) return this.widget.missing ?? "Choose an answer.";
    return this.#asksStrength && this.strength.value === undefined ? "Say how much." : "";
  }

  get reply() {
    const skipped = this.skip?.input.checked ?? false;
    const strength = this.#asksStrength ? this.strength.value : null;
    return { value: skipped ? null : this.widget.value, strength, ...this.#said };
  }

  /** What the listener has said so far, to go on after a refresh. */
  get draft() {
    const value = this.widget.draft ?? this.widget.value;
    const skipped = this.skip?.input.checked ?? false;
    return { value, skipped, strength: this.strength?.value, ...this.#said };
  }

  restore({ value, skipped, strength, tags, text }) {
    if (value !== undefined) this.widget.set(value);
    this.strength?.set(strength);
    for (const tag of this.tags) tag.input.checked = tags.includes(tag.label);
    if (this.text) this.text.input.value = text;
    if (this.skip) this.skip.input.checked = skipped;
    this.#refresh();
  }

  /** Answer by the key of a digit, where the question is a choice. */
  press(digit) {
    this.widget.press?.(digit);
  }

  /** Say what is missing beside the question, and put the focus there. */
  complain() {
    this.problem.textContent = this.missing;
    this.problem.hidden = false;
    this.element.querySelector("input, button").focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  get #said() {
    const tags = this.tags.filter((tag) => tag.input.checked).map((tag) => tag.label);
    return { tags, text: this.text?.input.value ?? "" };
  }

  get #asksStrength() {
    const asked = this.question.strength_for.includes(this.widget.value);
    return this.strength !== null && asked && !this.skip?.input.checked;
  }

  #refresh() {
    if (this.strength) this.strength.element.hidden = !this.#asksStrength;
    this.widget.element.classList.toggle("skipped", this.skip?.input.checked ?? false);
    if (this.missing === "") this.problem.hidden = true;
  }

  #reasons() {
    if (!this.tags.length && !this.text) return null;
    const tags = this.tags.length
      ? el(
          "div",
          { class: "tags", role: "group", "aria-label": "Reasons" },
          ...this.tags.map((tag) => tag.element),
        )
      : null;
    const heading = el("p", { class: "aside" }, this.tags.length ? "Why? Tick what applies." : "");
    return el("div", { class: "reasons" }, tags ? heading : null, tags, this.text?.element ?? null);
  }
}

function strengths(question, onChange) {
  const options = question.strength.map((label, i) => ({ value: i + 1, label }));
  const widget = choice({ options, label: "How much better?", onChange });
  const element = el("div", { class: "strength" }, el("p", { class: "aside" }, "How much better?"));
  element.append(widget.element);
  return {
    element,
    get value() {
      return widget.value;
    },
    set: widget.set,
  };
}

function checkbox(label, onChange) {
  const input = el("input", { type: "checkbox", change: onChange });
  return { label, input, element: el("label", { class: "tag" }, input, el("span", {}, label)) };
}

function textField(onChange) {
  const input = el("textarea", { rows: 2, maxlength: MAX_TEXT, input: onChange });
  return { input, element: el("label", { class: "text" }, "In your own words (optional)", input) };
}
