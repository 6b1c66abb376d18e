/** The figures beside the player. */

import { TICK_RATE, clock } from "./captions.js";

/**
 * Write a session's figures: what concerns viewers, and what concerns its operator.
 *
 * @param {HTMLDListElement} list for viewers.
 * @param {HTMLDListElement} more for the operator.
 * @param {object} info the session as the server describes it.
 * @param {{label: string, buffer: number}|null} connection of the viewer.
 * @param {string} dub language of the dub that the figures are of.
 * @param {HTMLVideoElement} video
 */
export function showFigures(list, more, info, connection, dub, video) {
  // What is over has no figures: those of the last stream would be taken for the next one's.
  const counts = ["live", "draining"].includes(info.state) ? info.dubs[dub] : undefined;
  const lost = (counts?.dropped ?? 0) + (counts?.failed ?? 0);
  const rate = counts?.on_time_rate;
  const behind = connection ? info.delay_s + connection.buffer : null;
  put(list, [
    ["Behind source", behind === null ? "–" : `${behind.toFixed(1)} s`],
    ["Dubs on time", rate == null ? "–" : `${Math.round(100 * rate)} %`, rate != null && rate < 0.9],
    ["Connection", connection?.label ?? "–"],
  ]);
  put(more, [
    ["Dubbing delay", `${info.delay_s.toFixed(1)} s`],
    ["On the way", connection ? seconds(connection.buffer) : "–"],
    ["Late", counts?.late ?? "–", counts?.late > 0],
    ["Not dubbed", counts ? lost : "–", lost > 0],
    ["Picture", video.videoWidth ? `${video.videoWidth}×${video.videoHeight}` : "–"],
    ["Media time", clock(Math.max(0, info.position - TICK_RATE * (connection?.buffer ?? 0)))],
  ]);
}

/** Write rows of name, value, and whether the value is to be highlighted. */
export function put(list, rows) {
  while (list.children.length < rows.length) {
    const row = document.createElement("div");
    row.append(document.createElement("dt"), document.createElement("dd"));
    list.append(row);
  }
  rows.forEach(([name, value, notable], index) => {
    const row = list.children[index];
    const [term, shown] = row.children;
    if (term.textContent !== name) term.textContent = name;
    if (shown.textContent !== String(value)) shown.textContent = value;
    row.classList.toggle("notable", Boolean(notable));
  });
}

function seconds(value) {
  return value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(1)} s`;
}
