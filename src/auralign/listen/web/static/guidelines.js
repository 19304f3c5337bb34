// What to listen for, where a study asks for detailed guidelines (MUSHRA-DG, arXiv 2411.12719).

import { el } from "./dom.js";

const LISTEN_FOR = [
  ["Words", "Is every word there, said once and pronounced correctly?"],
  ["Flow", "Are rhythm, pauses and stress where a person would put them?"],
  ["Voice", "Does it stay the same voice, without sounding flat or metallic?"],
  ["Sound", "Do you hear noise, clicks, echoes or breaks?"],
];
const BANDS = [
  ["80 to 100", "nothing disturbs"],
  ["60 to 80", "small flaws that you have to look for"],
  ["40 to 60", "flaws that you notice without looking for them"],
  ["20 to 40", "flaws that disturb"],
  ["0 to 20", "flaws that make it hard to listen to"],
];

export function guidelines() {
  // On a phone they would fill the first screen.
  const open = matchMedia("(min-width: 40rem)").matches;
  return el(
    "details",
    { class: "guidelines", open },
    el("summary", {}, "What to listen for"),
    listOf(LISTEN_FOR),
    el("p", {}, "Rate each clip by itself. Several clips may have the same rating."),
    listOf(BANDS),
  );
}

function listOf(rows) {
  return el("dl", {}, ...rows.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));
}
