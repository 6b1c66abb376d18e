/** A session's events and the server's media time, from its WebSocket. */

import { at, backoff, pause } from "./api.js";

const TICK_RATE = 48_000;
const LONGEST_GUESS = 3; // s for which the time is extrapolated without news
const FINAL = new Set([4400, 4401, 4403, 4404]); // close codes after which retrying is pointless

export class EventFeed {
  /** Whether there will be no more events. */
  over = false;
  #feed = "";
  #newest = 0;
  #arrived = 0;
  #socket = null;
  #abort = new AbortController();

  /** @param {{session: string, token: string, onEvent: (event: object) => void,
   *   onRestart: () => void}} options `onRestart` is called when media time starts over. */
  constructor({ session, token, onEvent, onRestart }) {
    const url = new URL(at(session, "/listen"), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({ format: "none" });
    this.url = url.href;
    this.protocols = ["livedub.v1", ...(token ? [bearer(token)] : [])];
    this.onEvent = onEvent;
    this.onRestart = onRestart;
    this.#run();
  }

  /** The server's current media time, ticks. */
  get position() {
    const since = Math.min(LONGEST_GUESS, (performance.now() - this.#arrived) / 1000);
    return this.#newest + (this.#newest ? since * TICK_RATE : 0);
  }

  close() {
    this.over = true;
    this.#abort.abort();
    this.#socket?.close();
  }

  async #run() {
    for (let tries = 0; ; tries += 1) {
      const { code, received } = await this.#once();
      this.over ||= FINAL.has(code);
      if (this.over) return;
      if (received) tries = 0;
      await pause(backoff(tries), this.#abort.signal).catch(() => {});
    }
  }

  #once() {
    return new Promise((resolve) => {
      let received = false;
      const socket = (this.#socket = new WebSocket(this.url, this.protocols));
      socket.onmessage = ({ data }) => {
        received = true;
        this.#message(JSON.parse(data));
      };
      socket.onclose = ({ code }) => resolve({ code, received });
    });
  }

  #message(message) {
    if (message.type === "hello") {
      if (this.#feed && this.#feed !== message.feed) this.onRestart();
      this.#feed = message.feed;
      this.#tick(message.position);
    }
    if (message.type === "time") this.#tick(message.position);
    if (message.type === "event") this.onEvent(message);
    if (message.type === "end") this.over = true;
  }

  #tick(time) {
    this.#newest = time;
    this.#arrived = performance.now();
  }
}

/** A token as a subprotocol: in the address it would end up in logs. */
function bearer(token) {
  const code = (char) => `%${char.charCodeAt(0).toString(16)}`;
  return `bearer.${encodeURIComponent(token).replace(/[()]/g, code)}`;
}
