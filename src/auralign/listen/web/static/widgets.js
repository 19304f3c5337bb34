// What a question is answered with. A widget has an `element`, its `value`, undefined while it is
// not answered, and `set(value)`; it calls `onChange` when the listener changes it.

import { el, freshId } from "./dom.js";

/** One of some options, as large buttons that are radio buttons underneath. */
export function choice({ options, label, onChange, keys = false }) {
  const name = freshId("choice");
  const inputs = options.map((option, i) =>
    el("input", { type: "radio", name, value: i, change: onChange }),
  );
  const buttons = options.map((option, i) =>
    el(
      "label",
      { class: "option" },
      inputs[i],
      el("span", {}, option.label),
      keys ? el("kbd", { "aria-hidden": "true" }, digitOf(options, i)) : null,
    ),
  );
  // Short words stand side by side; categories go below one another.
  const short = options.every((option) => option.label.length < 15) && options.length < 5;
  const kind = `options${short ? " short" : ""}`;
  const element = el("div", { class: kind, role: "radiogroup", "aria-label": label }, ...buttons);
  return {
    element,
    get value() {
      const chosen = inputs.findIndex((input) => input.checked);
      return chosen < 0 ? undefined : options[chosen].value;
    },
    set(value) {
      inputs.forEach((input, i) => (input.checked = options[i].value === value));
    },
    /** Choose what the key of a digit stands for. */
    press(digit) {
      const i = options.findIndex((_, place) => digitOf(options, place) === digit);
      if (i >= 0) inputs[i].click();
    },
  };
}

/** The key of an option: its own number where it is one, its place otherwise. */
function digitOf(options, i) {
  const rated = options.every(({ value }) => Number.isInteger(value) && value > 0);
  return String(rated ? options[i].value : i + 1);
}

/** A slider for each stimulus. One that was not touched has no value. */
export function scale({ question, stimuli, transport, onChange, onMove }) {
  const { low, high, bands } = question.scale;
  const columns = stimuli.map((clip) => slider(clip, low, high, onChange, onMove));
  const element = el(
    "div",
    { class: "scale" },
    el("div", { class: "bands", "aria-hidden": "true" }, ...bands.toReversed().map(band)),
    el(
      "div",
      { class: "columns" },
      ...columns.map((column, i) => {
        const button = transport.clipButton(stimuli[i].index);
        return el("div", { class: "column" }, button, column.box, column.output);
      }),
    ),
  );
  return {
    element,
    get value() {
      const values = columns.map((column) => column.value);
      return values.includes(undefined) ? undefined : values;
    },
    get draft() {
      return columns.map((column) => column.value ?? null);
    },
    set(values) {
      columns.forEach((column, i) => values[i] !== null && column.set(values[i]));
    },
    get missing() {
      const names = stimuli.filter((_, i) => columns[i].value === undefined);
      return `Move the slider of ${names.map((clip) => clip.name).join(", ")}.`;
    },
  };

  function band(text) {
    return el("span", {}, text);
  }
}

function slider(clip, low, high, onChange, onMove) {
  let touched = false;
  const touch = () => {
    touched = true;
    show();
    onChange();
  };
  const input = el("input", {
    type: "range",
    class: "vertical untouched",
    min: low,
    max: high,
    step: 1,
    value: (low + high) / 2,
    "aria-label": `Rating of ${clip.name}`,
    "aria-orientation": "vertical",
    input: touch,
    click: touch,
    change: () => onMove(clip.index),
  });
  const output = el("output", {}, "–");
  show();
  return {
    box: el("div", { class: "track" }, input),
    output,
    get value() {
      return touched ? Number(input.value) : undefined;
    },
    set(value) {
      input.value = value;
      touched = true;
      show();
    },
  };

  function show() {
    input.classList.toggle("untouched", !touched);
    output.textContent = touched ? input.value : "–";
    input.setAttribute("aria-valuetext", touched ? input.value : "not rated yet");
  }
}

/** All stimuli in an order that buttons change. It counts when it was changed or confirmed. */
export function ranking({ stimuli, transport, onChange }) {
  let order = stimuli.map((_, i) => i);
  let settled = false;
  const rows = stimuli.map((clip, i) => row(clip, i));
  const list = el("ol", { class: "ranking" });
  const keep = el("button", { type: "button", class: "small", click: confirm }, "Keep this order");
  const element = el("div", {}, el("p", { class: "ends" }, "Best first"), list, keep);
  draw();
  return {
    element,
    get value() {
      return settled ? [...order] : undefined;
    },
    set(value) {
      order = [...value];
      settled = true;
      draw();
    },
    missing: "Move the clips into your order, or keep the one that is there.",
  };

  function row(clip, i) {
    const move = (step, text) =>
      el(
        "button",
        { type: "button", class: "small move", "aria-label": `Move ${clip.name} ${text}` },
        step < 0 ? "↑" : "↓",
      );
    const [up, down] = [move(-1, "up"), move(1, "down")];
    up.addEventListener("click", () => shift(i, -1, up));
    down.addEventListener("click", () => shift(i, 1, down));
    const place = el("span", { class: "place", "aria-hidden": "true" });
    const item = el("li", {}, place, transport.clipButton(clip.index), up, down);
    return { item, place, up, down };
  }

  function shift(i, step, button) {
    const [from, to] = [order.indexOf(i), order.indexOf(i) + step];
    [order[from], order[to]] = [order[to], order[from]];
    confirm();
    // At the end of the list this button is off; the other one of the row takes the focus.
    const other = button === rows[i].up ? rows[i].down : rows[i].up;
    (button.disabled ? other : button).focus();
  }

  function confirm() {
    settled = true;
    draw();
    onChange();
  }

  function draw() {
    list.replaceChildren(...order.map((i) => rows[i].item));
    keep.hidden = settled;
    order.forEach((i, place) => {
      rows[i].place.textContent = String(place + 1);
      rows[i].up.disabled = place === 0;
      rows[i].down.disabled = place === order.length - 1;
    });
  }
}

/** Two columns of radio buttons; the best one cannot be the worst one too. */
export function bestWorst({ stimuli, transport, onChange }) {
  const ends = { best: freshId("best"), worst: freshId("worst") };
  const inputs = Object.fromEntries(Object.keys(ends).map((end) => [end, stimuli.map(radio(end))]));
  const rows = stimuli.map((clip, i) =>
    el(
      "div",
      { class: "row" },
      transport.clipButton(clip.index),
      el("label", { class: "option" }, inputs.best[i], el("span", {}, "Best")),
      el("label", { class: "option" }, inputs.worst[i], el("span", {}, "Worst")),
    ),
  );
  const chosen = (end) => inputs[end].findIndex((input) => input.checked);
  return {
    element: el("div", { class: "best-worst" }, ...rows),
    get value() {
      const [best, worst] = [chosen("best"), chosen("worst")];
      return best < 0 || worst < 0 ? undefined : { best, worst };
    },
    set({ best, worst }) {
      inputs.best[best].checked = true;
      inputs.worst[worst].checked = true;
    },
    get missing() {
      return `Choose the ${chosen("best") < 0 ? "best" : "worst"} one.`;
    },
  };

  function radio(end) {
    return (clip, i) =>
      el("input", {
        type: "radio",
        name: ends[end],
        "aria-label": `${clip.name} is the ${end}`,
        change: () => {
          inputs[end === "best" ? "worst" : "best"][i].checked = false;
          onChange();
        },
      });
  }
}
