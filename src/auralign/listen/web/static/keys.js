// Everything from the keyboard. Keys of one sign can be switched off (WCAG 2.1.4).

import { el } from "./dom.js";

const SETTING = "auralign-keys";
let areOn = readSetting();

/** The keys of a trial page as `[shown, what it does, matches(event), work(event)]`. */
export function keysOf({ clips, transport, loop, choices, choose, submit }) {
  const letters = new Map(clips.map((clip, i) => [clip.name[0].toLowerCase(), i]));
  const free = (key) => !letters.has(key);
  const is = (...keys) => ({ key }) => keys.includes(key.toLowerCase());
  const first = clips.map((clip) => clip.name[0]).join(" ");
  return [
    ["Space", "play or pause", is(" "), () => transport.playPause()],
    [
      first,
      "play that clip",
      ({ key }) => letters.has(key.toLowerCase()),
      ({ key }) => transport.press(letters.get(key.toLowerCase())),
    ],
    ["← →", "back, forward", is("arrowleft"), () => transport.skip(-1)],
    [null, "", is("arrowright"), () => transport.skip(1)],
    ...(loop
      ? [
          [free("l") ? "L" : null, "loop", (e) => free("l") && is("l")(e), () => transport.loopAll()],
          ["[ ]", "loop from, to here", is("["), () => transport.loopFrom()],
          [null, "", is("]"), () => transport.loopTo()],
        ]
      : []),
    [choices ? "1 to 9" : null, "choose an answer", ({ key }) => /^[1-9]$/.test(key), ({ key }) => choose(key)],
    ["Enter", "next", is("enter"), () => submit()],
  ];
}

/** Listen to the keys until the returned function is called. */
export function listenToKeys(keys) {
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || belongsToField(event)) return;
    if (event.repeat && !event.key.startsWith("Arrow")) return;
    if (!areOn && event.key.length === 1 && event.key !== " ") return;
    const known = keys.find(([, , matches]) => matches(event));
    if (!known) return;
    event.preventDefault();
    known[3](event);
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}

/** A small legend, with the switch. */
export function legendOf(keys) {
  const box = el("input", { type: "checkbox", change: () => setOn(box.checked) });
  box.checked = areOn;
  const rows = keys.filter(([shown]) => shown !== null);
  return el(
    "details",
    { class: "legend" },
    el("summary", {}, "Keys"),
    el("dl", {}, ...rows.flatMap(([shown, text]) => [el("dt", {}, kbd(shown)), el("dd", {}, text)])),
    el("label", { class: "tag" }, box, el("span", {}, "Letters and digits are keys")),
  );
}

function kbd(text) {
  return el("kbd", {}, text);
}

/** Whether the key means something to what has the focus, such as text or a slider. */
function belongsToField({ target, key }) {
  if (target.matches("textarea, input[type=text]")) return true;
  if (target.matches("input[type=range]")) return key.startsWith("Arrow");
  if (target.matches("input[type=radio]")) return key.startsWith("Arrow") || key === " ";
  if (target.matches("button, a, summary")) return key === " " || key === "Enter";
  return target.matches("input") && key === " ";
}

function readSetting() {
  try {
    return localStorage.getItem(SETTING) !== "off";
  } catch {
    return true;
  }
}

function setOn(on) {
  areOn = on;
  try {
    localStorage.setItem(SETTING, on ? "on" : "off");
  } catch {
    // Then it lasts as long as the page.
  }
}
