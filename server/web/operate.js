/** The operator's page: every session as it runs, and what can be done about it. */

import { ask, at, pause, tokens } from "./api.js";

const $ = (id) => document.getElementById(id);
const EVERY_MS = 1_000;
const OPERATOR = " operator"; // no session has such a name
const HOME = new URL(".", document.baseURI).pathname;
const STATES = { live: "live", failed: "error", ended: "idle" };

const cards = new Map(); // session name -> its card

const request = (path, options = {}) => ask(path, { token: tokens.of(OPERATOR), ...options });
const json = (method, value) => ({ method, type: "application/json", body: JSON.stringify(value) });

/** One session on the page. */
class Card {
  #tracks = new Map();
  #session;

  constructor(id) {
    this.id = id;
    this.element = $("card").content.cloneNode(true).firstElementChild;
    this.#find("h2").textContent = id;
    this.#find(".watch-it").href = `./#session=${encodeURIComponent(id)}`;
    this.#find(".original").onclick = () => this.#all();
    this.#find(".end").onclick = () => this.#end();
    $("sessions").append(this.element);
  }

  show(session) {
    this.#session = session;
    const state = this.#find(".state");
    state.textContent = session.state;
    state.dataset.state = STATES[session.state] ?? "waiting";
    const behind = `${session.delay_s.toFixed(1)} s behind`;
    this.#find(".behind").textContent = `${behind}, ${session.viewers} watching`;
    for (const track of session.tracks) this.#row(track);
    const off = this.#off();
    const all = this.#find(".original");
    all.textContent = off ? "Dubs on air" : "Original on air";
    all.setAttribute("aria-pressed", String(off));
    this.#faults(session);
  }

  /** What has to be asked for session by session: levels and the picture. */
  async look() {
    const { levels } = await (await request(at(this.id, "/levels"))).json();
    for (const [track, level] of Object.entries(levels)) {
      const meter = this.#tracks.get(track)?.querySelector("meter");
      if (meter) meter.value = Math.max(-60, level);
    }
    const pictured = this.#session.picture !== null;
    const thumbnail = () => request(at(this.id, "/thumbnail")).catch(() => null);
    const answer = pictured ? await thumbnail() : null;
    const image = this.#find("img");
    image.hidden = !answer;
    if (answer) image.src = await dataUrl(await answer.blob());
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #off() {
    return Object.values(this.#session.on_air).every((what) => what === "original");
  }

  #row(track) {
    let row = this.#tracks.get(track);
    if (!row) {
      row = $("track").content.cloneNode(true).firstElementChild;
      row.querySelector("b").textContent = track;
      row.querySelector("meter").setAttribute("aria-label", `Level of ${track}`);
      const button = row.querySelector("button");
      button.hidden = !(track in this.#session.on_air);
      button.onclick = () => {
        const muted = this.#session.on_air[track] === "original";
        this.#air({ [track]: muted ? "dub" : "original" });
      };
      const glossary = row.querySelector(".glossary");
      glossary.hidden = button.hidden;
      if (!glossary.hidden) this.#glossary(track, glossary);
      this.#tracks.set(track, row);
      this.#find(".tracks-of").append(row);
    }
    const button = row.querySelector("button");
    const muted = this.#session.on_air[track] === "original";
    button.textContent = muted ? "Unmute" : "Mute";
    button.setAttribute("aria-label", `${button.textContent} the dub ${track}`);
    button.setAttribute("aria-pressed", String(muted));
    const counts = this.#session.dubs[track];
    row.querySelector(".counts").textContent = counts
      ? `${counts.on_time} on time, ${counts.late} late, ${counts.dropped} dropped`
      : this.#session.language;
  }

  /** One line for a term: what is said, an equals sign, what is to be spoken. */
  #glossary(track, element) {
    const path = at(this.id, `/glossary/${encodeURIComponent(track)}`);
    const text = element.querySelector("textarea");
    const status = element.querySelector("span");
    text.setAttribute("aria-label", `Glossary of ${track}`);
    const show = (terms) => {
      text.value = Object.entries(terms).map(([said, spoken]) => `${said} = ${spoken}`).join("\n");
    };
    element.ontoggle = () => element.open
      && attempt(async () => show(await (await request(path)).json()));
    text.oninput = () => (status.textContent = "Not kept yet");
    element.querySelector(".keep").onclick = () => attempt(async () => {
      const terms = text.value.split("\n").map((line) => line.split("=").map((part) => part.trim()));
      const whole = terms.filter(([said, spoken]) => said && spoken);
      const answer = await request(path, json("PUT", Object.fromEntries(whole)));
      show(await answer.json());
      status.textContent = "Kept: from the next sentence on";
    });
  }

  #faults(session) {
    const faults = [session.error, session.source_failure];
    for (const output of session.outputs) faults.push(output.failure);
    for (const [track, counts] of Object.entries(session.dubs)) {
      if (counts.failed) faults.push(`${track}: ${counts.failed} failed; the original was heard.`);
    }
    const list = this.#find(".faults");
    const said = faults.filter(Boolean);
    if (said.join("\n") === list.dataset.said) return;
    list.dataset.said = said.join("\n");
    list.replaceChildren(...said.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  }

  #all() {
    const what = this.#off() ? "dub" : "original";
    const every = Object.keys(this.#session.on_air).map((track) => [track, what]);
    this.#air(Object.fromEntries(every));
  }

  async #air(tracks) {
    await attempt(async () => {
      const answer = await request(at(this.id, "/on-air"), json("PUT", tracks));
      this.show({ ...this.#session, on_air: await answer.json() });
    });
  }

  async #end() {
    if (!confirm(`End session ${this.id}? What was received is dubbed and played first.`)) return;
    await attempt(() => request(at(this.id), { method: "DELETE" }));
  }
}

/** Do something, and say if it was refused. */
async function attempt(action) {
  try {
    await action();
    $("problem").textContent = "";
  } catch (refusal) {
    $("problem").textContent = refusal.message;
  }
}

async function refresh() {
  const sessions = await (await request(`${HOME}sessions`)).json();
  const named = new Set(sessions.map(({ id }) => id));
  for (const [id, card] of cards) {
    if (named.has(id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  for (const session of sessions) {
    if (!cards.has(session.id)) cards.set(session.id, new Card(session.id));
    cards.get(session.id).show(session);
  }
  $("none").hidden = sessions.length > 0;
  await Promise.all([...cards.values()].map((card) => card.look()));
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function connected(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

async function watch() {
  for (;;) {
    try {
      await refresh();
      connected("live", "Connected");
      $("token-form").hidden = true;
    } catch (refusal) {
      connected("error", refusal.message);
      $("token-form").hidden = !refusal.locked;
    }
    await pause(EVERY_MS);
  }
}

$("token-form").onsubmit = (event) => {
  event.preventDefault();
  tokens.keep(OPERATOR, $("token").value);
  $("token").value = "";
};

$("create").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    const spec = { id: $("name").value };
    const targets = $("targets").value.split(/[\s,]+/).filter(Boolean);
    if (targets.length) spec.targets = targets;
    if ($("source").value) spec.source = $("source").value;
    const answer = await request(`${HOME}sessions`, json("POST", spec));
    $("key").textContent = (await answer.json()).key;
    $("created").hidden = false;
    $("create").reset();
  });
};

watch();
