/** The publish page: a source, its preview, and where it goes. */

import { listSessions } from "./api.js";
import { Level, open, release } from "./capture.js";
import { TICK_RATE, clock } from "./captions.js";
import { put } from "./figures.js";
import { WhipPublisher } from "./whip_publisher.js";

const LEVEL_EVERY = 100; // ms
const FIGURES_EVERY = 2_000; // ms
const LIST_EVERY = 5_000; // ms
const SILENT = 50; // readings of the level after which a hint about silence is shown
const STATES = {
  idle: "Not publishing",
  connecting: "Connecting",
  live: "Publishing",
  reconnecting: "Reconnecting",
};

const $ = (id) => document.getElementById(id);
const address = new URLSearchParams(location.hash.slice(1));
let stream = null;
let level = null;
let publisher = null;
let silent = 0;
let began = null; // ms, when publishing began
let guarded = new Set(); // sessions whose viewers need a token

const source = () => document.querySelector("[name=source]:checked").value;

async function preview() {
  closeSource();
  complain("");
  try {
    stream = await open(source(), { camera: $("camera").value, microphone: $("microphone").value });
  } catch (error) {
    complain(error.message);
    return false;
  }
  level = new Level(stream);
  $("video").srcObject = stream;
  $("stage").dataset.picture = stream.getVideoTracks().length ? "yes" : "no";
  // The user may stop sharing the screen, or unplug a device, at any time.
  stream.getTracks().forEach((track) => track.addEventListener("ended", () => {
    stop();
    complain("The source has ended.");
  }));
  await devices();
  return true;
}

async function start() {
  $("start").disabled = true;
  const ready = stream !== null || (await preview());
  $("start").disabled = false;
  if (!ready) return;
  complain("");
  const session = $("sessions").value;
  publisher = new WhipPublisher({ session, key: $("key").value.trim(), stream, onState: say });
  link(session);
  try {
    await publisher.run();
  } catch (error) {
    complain(error.message);
  }
  publisher = null;
  say("idle");
  closeSource();
}

function stop() {
  publisher?.stop();
  if (!publisher) closeSource();
}

function closeSource() {
  level?.close();
  release(stream);
  stream = level = null;
  $("video").srcObject = null;
  $("stage").dataset.picture = "no";
  $("level").value = -60;
}

function say(state) {
  $("state").dataset.state = state;
  $("state").textContent = STATES[state];
  if (state === "idle") began = null;
  else if (state === "live") began ??= performance.now();
  const busy = state !== "idle";
  for (const id of ["sessions", "key", "sources", "camera", "microphone"]) $(id).disabled = busy;
  $("start").hidden = $("preview").hidden = busy;
  $("stop").hidden = !busy;
  $("link-row").hidden = !busy;
  if (!busy) figures();
}

function complain(sentence) {
  $("problem").textContent = sentence;
}

function link(session) {
  const url = new URL(`./#${new URLSearchParams({ session })}`, location.href).href;
  $("link").href = $("link").textContent = url;
  $("link-note").textContent = guarded.has(session)
    ? "Viewers are asked for its token; &token=TOKEN at the end of the address spares them that." : "";
}

async function figures() {
  const now = await publisher?.figures();
  put($("figures"), [
    ["Bitrate", now ? `${Math.round(now.bitrate / 1000)} kbit/s` : "–"],
    ["Round trip", now?.trip == null ? "–" : `${Math.round(1000 * now.trip)} ms`],
    ["Lost", now ? `${(100 * now.lost).toFixed(1)} %` : "–", now?.lost > 0.02],
    ["Picture", now?.size ?? "–"],
    ["Codec", now?.codec ?? "–"],
    ["On air", began === null ? "–" : clock(TICK_RATE * (performance.now() - began) / 1000)],
  ]);
}

function measure() {
  if (!level) return;
  const { peak } = level;
  $("level").value = peak;
  silent = peak > -55 ? 0 : silent + 1;
  const note = silent > SILENT ? "No sound: is the right microphone chosen, and unmuted?" : "";
  if ($("level-note").textContent !== note) $("level-note").textContent = note;
}

/** Device names are known once the user has allowed access to one of them. */
async function devices() {
  const found = await navigator.mediaDevices.enumerateDevices();
  for (const [id, kind] of [["camera", "videoinput"], ["microphone", "audioinput"]]) {
    const chosen = $(id).value;
    const named = found.filter((device) => device.kind === kind && device.deviceId && device.label);
    const options = named.map(({ label, deviceId }) => new Option(label, deviceId));
    $(id).replaceChildren(new Option("Default", ""), ...options);
    if (named.some(({ deviceId }) => deviceId === chosen)) $(id).value = chosen;
  }
}

async function list() {
  if (publisher) return;
  try {
    const sessions = (await listSessions()).filter(({ source, state }) =>
      source === "publish" && !["ended", "failed", "draining"].includes(state));
    guarded = new Set(sessions.filter((session) => session.protected).map(({ id }) => id));
    const ids = sessions.map(({ id }) => id);
    const named = address.get("session"); // strangers are not told of protected ones
    if (named && !ids.includes(named)) ids.push(named);
    if (ids.join() !== [...$("sessions").options].map(({ value }) => value).join()) {
      const chosen = $("sessions").value || address.get("session");
      $("sessions").replaceChildren(...ids.map((id) => new Option(id, id)));
      if (ids.includes(chosen)) $("sessions").value = chosen;
    }
    if (!ids.length) complain("There is no session that can be published to.");
  } catch (error) {
    complain(error.message);
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
$("preview").addEventListener("click", preview);
$("stop").addEventListener("click", stop);
$("sources").addEventListener("change", () => {
  $("camera-row").hidden = source() !== "camera";
  closeSource();
});
for (const id of ["camera", "microphone"]) {
  $(id).addEventListener("change", () => stream && preview());
}
$("copy").addEventListener("click", async () => {
  await navigator.clipboard?.writeText($("link").href);
  $("copy").textContent = "Copied";
});
window.addEventListener("pagehide", stop);
setInterval(measure, LEVEL_EVERY);
setInterval(() => publisher && figures(), FIGURES_EVERY);
setInterval(list, LIST_EVERY);
figures();
list();
