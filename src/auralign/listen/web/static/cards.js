// Pages between trials: to begin, to rest, to wait, and what to do when something is wrong.

import { el, show } from "./dom.js";

/** Show a card; resolves when the listener presses its button. */
export function card(title, paragraphs, button) {
  return new Promise((resolve) => {
    show(
      el("h2", {}, title),
      ...paragraphs.map((text) => el("p", {}, text)),
      button
        ? el("p", {}, el("button", { type: "button", class: "primary", click: resolve }, button))
        : null,
    );
  });
}

export function startCard({ answered, of }) {
  const volume = "Set a comfortable volume with the first clip and leave it there.";
  const silent =
    "If you hear nothing, look at the volume, the silent switch of a phone, and the headphones.";
  if (answered === 0) return card("Ready?", [volume, silent], "Start");
  const where = `${answered} of ${of} are answered and stored.`;
  return card("Welcome back", [where, volume], "Go on");
}

export function restCard({ number, of }) {
  const where = `${number - 1} of ${of} are answered and stored. Rest your ears as long as you like.`;
  return card("Time for a break", [where], "Go on");
}

export function partCard(before) {
  const over = { headphones: "The headphone check is done.", training: "That was the practice." };
  return card("Well done", [over[before], "What follows is the next part."], "Go on");
}

export function onceMoreCard() {
  const advice = "Put headphones on, look for a quiet place, and set the volume higher.";
  return card("Let us try that once more", [advice], "Go on");
}

export function staleCard() {
  return card(
    "This test is open elsewhere",
    ["It goes on in another tab or on another device. Your answers so far are stored."],
    "Go on here",
  );
}

export function brokenClipsCard() {
  return card(
    "Some clips cannot be played",
    [
      "Your answers so far are stored. Another browser or a better connection may help; the same " +
        "link leads back to where you are.",
    ],
    "Try again",
  );
}

export function errorCard(message) {
  return card("This did not work", [message, "What you answered before is stored."], "Try again");
}

/** Show how many clips have arrived; returns a function that takes the number. */
export function loadingCard(of) {
  const bar = el("progress", { max: of, value: 0, "aria-label": "Clips loaded" });
  show(el("h2", {}, "Loading the clips"), el("div", { class: "progress" }, bar));
  return (n) => (bar.value = n);
}
