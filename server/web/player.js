/** The player page: one session, its picture, tracks, captions and figures. */

import { listSessions, tokens } from "./api.js";
import { BedControl } from "./bed_control.js";
import { Captions } from "./captions.js";
import { Controls } from "./controls.js";
import { EventFeed } from "./event_feed.js";
import { showFigures } from "./figures.js";
import { nextStep } from "./next_step.js";
import { Watcher } from "./watcher.js";

const CAPTIONS_EVERY = 100; // ms
const LIST_EVERY = 5_000; // ms
const STATES = {
  none: "No session",
  waiting: "Waiting",
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  ended: "Ended",
  error: "Error",
  locked: "Protected",
};

const $ = (id) => document.getElementById(id);
const video = $("video");
// The query is for people who type it; a token belongs behind the #, which no server sees.
const address = new URLSearchParams(location.hash.slice(1));
for (const [name, value] of new URLSearchParams(location.search)) {
  if (name !== "token" && !address.has(name)) address.set(name, value);
}
if (address.has("token")) {
  tokens.keep(address.get("session"), address.get("token"));
  address.delete("token");
  history.replaceState(null, "", `${location.pathname}#${address}`);
}
let watcher = null;
let events = null;
let figures = null;
let blocked = false;
let said = ["connecting", ""];

const captions = new Captions({
  spoken: $("spoken"),
  dubbed: $("dubbed"),
  transcript: $("transcript"),
});

const controls = new Controls(
  {
    video,
    watch: $("watch"),
    play: $("play"),
    mute: $("mute"),
    volume: $("volume"),
    full: $("full"),
    tracks: $("tracks"),
    captionChoice: $("caption-choice"),
  },
  {
    onTrack: select,
    onCaptions: (choice) => (captions.choice = choice),
  },
);

const bed = new BedControl({ slider: $("bed"), auto: $("bed-auto") }, mix);

function watch(session) {
  remember({ session });
  watcher?.stop();
  events?.close();
  captions.clear();
  events = figures = null;
  watcher = new Watcher({
    session,
    video,
    mode: $("mode").value,
    track: address.get("track") ?? "",
    bed: bed.level,
    position: () => events?.position ?? 0,
    onState: say,
    onLook: look,
    onPlayer: begin,
  });
  watcher.run();
}

/** A player has started: unmute it and show captions. */
function begin() {
  const { session } = watcher;
  if (events === null || events.over) {
    captions.clear();
    events = new EventFeed({
      session,
      token: tokens.of(session),
      onEvent: (event) => captions.add(event),
      onRestart: () => captions.clear(),
    });
  }
  look(null);
  resume();
}

/** Browsers may require a click before they play sound. */
async function resume() {
  try {
    await video.play();
    blocked = false;
  } catch (error) {
    blocked = error.name === "NotAllowedError";
  }
  say(...said);
}

async function select(track) {
  remember({ track });
  if (!watcher) return;
  try {
    await watcher.select(track);
  } catch (error) {
    say(said[0], error.message);
  }
  look(figures);
}

async function mix(level) {
  try {
    await watcher?.setBed(level);
  } catch (error) {
    say(said[0], error.message);
  }
}

/** Why the original's level cannot be set. */
function unmixable({ player, track }) {
  if (player?.canMix === false) return "HLS delivers the finished mix: choose WebRTC to set this.";
  return track === "original" ? "This is the original itself: choose a dub to set this." : "";
}

function look(measured) {
  figures = measured ?? figures;
  const { info, track } = watcher;
  if (!info) return;
  controls.offer(info.tracks, info.language, track);
  bed.offer(unmixable(watcher));
  const hls = $("mode").querySelector("[value=hls]");
  hls.disabled = !info.hls;
  hls.textContent = info.hls ? "HLS" : "HLS: off for this session";
  const dub = track === "original" ? (info.tracks[1] ?? "original") : track;
  captions.languages(info.language, dub);
  showFigures($("figures"), $("more-figures"), info, figures, dub, video);
}

/** Show what the player is doing: in the bar, and in place of the picture if there is none. */
function say(state, detail = "") {
  said = [state, detail];
  const playable = blocked && state === "live";
  const badge = $("state");
  if (badge.dataset.state !== state) {
    badge.dataset.state = state;
    badge.textContent = STATES[state];
  }
  const covered = state !== "live" || playable;
  $("stage").dataset.covered = covered ? "yes" : "no";
  $("stage").dataset.picture = watcher?.player?.hasPicture === false ? "no" : "yes";
  const text = detail || (covered && !playable ? `${STATES[state]}…` : "");
  if ($("notice-text").textContent !== text) $("notice-text").textContent = text;
  $("notice-play").hidden = !playable;
  $("token-form").hidden = state !== "locked";
  const next = covered && !playable ? nextStep(state, watcher?.info) : [];
  $("notice-next").hidden = next.length === 0;
  if ($("notice-next").textContent !== next.map((part) => part.textContent ?? part).join("")) {
    $("notice-next").replaceChildren(...next);
  }
  if (figures && ["ended", "none", "waiting"].includes(state)) {
    figures = null;
    look(null);
  }
}

function remember(changes) {
  for (const [name, value] of Object.entries(changes)) address.set(name, value);
  history.replaceState(null, "", `${location.pathname}#${address}`);
}

/** Keep the list of sessions up to date, and choose one if none is chosen. */
async function list() {
  let sessions;
  try {
    sessions = await listSessions();
  } catch (error) {
    if (!watcher) say("reconnecting", error.message);
    return;
  }
  const wanted = address.get("session");
  const ids = sessions.map(({ id }) => id);
  if (wanted && !ids.includes(wanted)) ids.push(wanted);
  if (ids.join() !== [...$("sessions").options].map(({ value }) => value).join()) {
    $("sessions").replaceChildren(...ids.map((id) => new Option(id, id)));
  }
  const worth = (session) => 2 * (session.state === "live") + !session.protected;
  const best = [...sessions].sort((a, b) => worth(b) - worth(a))[0];
  const chosen = wanted ?? best?.id;
  if (chosen) $("sessions").value = chosen;
  if (!chosen) say("none", "There is no session yet.");
  else if (watcher?.session !== chosen) watch(chosen);
}

$("sessions").addEventListener("change", () => watch($("sessions").value));
$("mode").addEventListener("change", () => {
  remember({ by: $("mode").value });
  if (watcher) watch(watcher.session);
});
$("notice-play").addEventListener("click", resume);
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tokens.keep(watcher.session, $("token").value.trim());
  $("token").value = "";
  watch(watcher.session);
});
window.addEventListener("hashchange", () => location.reload());
window.addEventListener("pagehide", () => watcher?.stop());
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted && watcher) watch(watcher.session);
});
setInterval(() => {
  if (!events || !watcher?.player || video.paused) return;
  captions.show(watcher.player.position(events.position));
}, CAPTIONS_EVERY);
setInterval(list, LIST_EVERY);

$("mode").value = ["webrtc", "hls"].includes(address.get("by")) ? address.get("by") : "auto";
list();
