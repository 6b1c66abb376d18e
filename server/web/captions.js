/** Captions and transcript in two languages, each utterance shown when it is heard. */

export const TICK_RATE = 48_000;
const KEPT = 100; // utterances, future and past
const LINGER = 1.2 * TICK_RATE; // ticks for which a caption outlasts its speech, if none follows
const LINES = 60; // of the transcript
const FATES = {
  on_time: ["on time", ""],
  late: ["late", "late"],
  dropped: ["not dubbed", "bad"],
  failed: ["failed", "bad"],
  left: ["not dubbed", ""],
};

const SEVERAL = "mul"; // ISO 639-2

const DOUBTS = { misheard: "probably misheard", few_words: "words missing" };

export class Captions {
  /** `both`, `spoken`, `dubbed` or `off`. */
  choice = "both";
  #utterances = new Map();
  #shown = null;
  #spoken;
  #dubbed;
  #transcript;

  /** @param {{spoken: Element, dubbed: Element, transcript: Element}} elements */
  constructor({ spoken, dubbed, transcript }) {
    this.#spoken = spoken;
    this.#dubbed = dubbed;
    this.#transcript = transcript;
  }

  /** Set the languages of the two lines, ISO 639-1, for what has not been shown yet. */
  languages(spoken, dubbed) {
    this.language = spoken;
    this.dub = dubbed;
    this.#spoken.lang = spoken;
    this.#dubbed.lang = dubbed;
  }

  /** Add an event of the session. */
  add(event) {
    const utterance = this.#of(event);
    if (event.kind === "transcript") {
      const { text, doubts = [], language } = event;
      Object.assign(utterance, { spoken: text, doubts, language });
    }
    if (event.kind === "translation") utterance.dubbed[event.track] = event.text;
    if (event.kind === "fate") utterance.fate[event.track] = event.fate;
    if (utterance.line) this.#write(utterance);
  }

  /** Show what is heard at media time `now`, ticks. */
  show(now) {
    let current = null;
    for (const utterance of this.#utterances.values()) {
      if (utterance.start > now || !utterance.spoken) continue;
      if (!utterance.line) this.#append(utterance);
      if (now < utterance.end + LINGER && utterance.start >= (current?.start ?? 0)) {
        current = utterance;
      }
    }
    const off = current === null || this.choice === "off";
    this.#spoken.lang = current?.language ?? this.language;
    put(this.#spoken, off || this.choice === "dubbed" ? "" : current.spoken);
    put(this.#dubbed, off || this.choice === "spoken" ? "" : (current.dubbed[this.dub] ?? ""));
    if (current === this.#shown) return;
    this.#shown?.line?.removeAttribute("aria-current");
    current?.line.setAttribute("aria-current", "true");
    this.#shown = current;
  }

  /** Forget everything: another session starts. */
  clear() {
    this.#utterances.clear();
    this.#transcript.replaceChildren();
    this.#shown = null;
    put(this.#spoken, "");
    put(this.#dubbed, "");
  }

  #of({ utterance: id, kind, start, end }) {
    let known = this.#utterances.get(id);
    if (!known) {
      known = { start, end, spoken: "", doubts: [], dubbed: {}, fate: {}, line: null };
      this.#utterances.set(id, known);
      if (this.#utterances.size > KEPT) {
        this.#utterances.delete(this.#utterances.keys().next().value);
      }
    }
    // Dub events carry the dub's own times; captions follow the speaker.
    if (kind === "transcript") Object.assign(known, { start, end });
    return known;
  }

  #append(utterance) {
    const list = this.#transcript;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    utterance.line = document.createElement("li");
    utterance.dub = this.dub;
    this.#write(utterance);
    list.append(utterance.line);
    if (list.children.length > LINES) list.firstChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  #write({ line, start, spoken, language, doubts, dubbed, fate, dub }) {
    const [name, kind] = FATES[fate[dub]] ?? ["", ""];
    const doubted = doubts.map((doubt) => DOUBTS[doubt] ?? doubt).join(", ");
    const parts = [
      element("time", clock(start)),
      element("span", spoken, { lang: language ?? this.language, className: "spoken" }),
      element("span", dubbed[dub] ?? "", { lang: dub, className: "dubbed" }),
    ];
    if (doubted) parts.push(element("span", doubted, { className: "fate" }));
    if (kind) parts.push(element("span", name, { className: `fate ${kind}` }));
    // Where several languages are spoken, which one this is.
    if (language && this.language === SEVERAL) {
      parts.splice(1, 0, element("span", language, { className: "language" }));
    }
    line.replaceChildren(...parts);
  }
}

/** Media time as `m:ss`. */
export function clock(ticks) {
  const seconds = Math.floor(ticks / TICK_RATE);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function element(name, text, properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}

/** Write only changes, since screen readers read out whatever is written. */
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
