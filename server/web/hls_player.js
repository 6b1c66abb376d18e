/** Watching by HLS: some seconds later, through every network that allows HTTP. */

import { ask, at, pause } from "./api.js";

const TICK_RATE = 48_000;
const ATTEMPTS = 30; // a second apart: a session that has just started has no segment yet
const LATE_S = 3; // behind where it should be, from which on it is not made up by hurrying
const STALLED = 8; // checks in a row that find the player where it was

export class HlsPlayer {
  kind = "hls";
  hasPicture = true;
  canMix = false; // its sound is mixed by the server
  #hls = null;
  #zeros = new Map(); // seconds of media time at the player's 0, by continuity counter
  #continuity = 0;
  #at = -1;
  #stalled = 0;
  #lose;

  /** @param {{session: string, track: string, token: string, video: HTMLVideoElement}} options */
  constructor({ session, track, token, video }) {
    this.session = session;
    this.track = track;
    this.token = token;
    this.video = video;
    /** Resolves when playing cannot go on. */
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  /** Resolves once the playlist has been read. */
  async start(signal) {
    const url = at(this.session, "/hls/master.m3u8");
    const master = await this.#master(url, signal);
    this.hasPicture = /RESOLUTION=/.test(master);
    const Hls = await library();
    signal.throwIfAborted();
    if (Hls.isSupported()) await this.#withLibrary(Hls, url);
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) await this.#natively(url);
    else throw new Error("This browser can play neither WebRTC nor HLS.");
    signal.throwIfAborted();
  }

  /** Switch to another track; what is buffered of the old one is discarded. */
  async select(track) {
    this.track = track;
    if (this.#hls) {
      const index = this.#hls.audioTracks.findIndex((t) => t.url.endsWith(`/audio-${track}.m3u8`));
      if (index < 0) throw new Error("This track is not offered by HLS.");
      this.#hls.audioTrack = index;
      return;
    }
    for (const offered of this.video.audioTracks ?? []) {
      const original = offered.label.startsWith("Original");
      offered.enabled = track === "original" ? original : !original && offered.language === track;
    }
  }

  /** Media time being shown, ticks. */
  position(serverPosition) {
    const zero = this.#zeros.get(this.#continuity);
    if (zero !== undefined) return (this.video.currentTime + zero) * TICK_RATE;
    return serverPosition - this.#behindEdge() * TICK_RATE;
  }

  /** See `WhepPlayer.figures`. */
  async figures(live, serverPosition) {
    const { currentTime, paused } = this.video;
    this.#stalled = live && !paused && currentTime === this.#at ? this.#stalled + 1 : 0;
    this.#at = currentTime;
    if (this.#stalled >= STALLED) this.#lose();
    this.#keepUp(live);
    const behind = (serverPosition - this.position(serverPosition)) / TICK_RATE;
    return { label: this.#hls ? "HLS" : "HLS, native", buffer: Math.max(0, behind) };
  }

  /** hls.js hurries where it is a little late; what a slow start or a stall has cost is skipped. */
  #keepUp(live) {
    const { latency, targetLatency, liveSyncPosition } = this.#hls ?? {};
    if (!live || this.video.paused || !liveSyncPosition) return;
    if (latency > targetLatency + LATE_S) this.video.currentTime = liveSyncPosition;
  }

  close() {
    this.#hls?.destroy();
    this.video.removeAttribute("src");
    this.video.load();
  }

  async #master(url, signal) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await (await ask(url, { token: this.token, signal })).text();
      } catch (error) {
        if (error.status !== 404 || tries === ATTEMPTS) throw error;
      }
      await pause(1_000, signal);
    }
  }

  async #withLibrary(Hls, url) {
    const hls = (this.#hls = new Hls({
      // As near to the end as the server says, and back there after a stall.
      maxLiveSyncPlaybackRate: 1.1,
      backBufferLength: 30,
      // The page draws captions itself, in two languages.
      subtitleStreamController: undefined,
      subtitleTrackController: undefined,
      timelineController: undefined,
      xhrSetup: (request) => {
        if (this.token) request.setRequestHeader("Authorization", `Bearer ${this.token}`);
      },
    }));
    hls.on(Hls.Events.INIT_PTS_FOUND, (_, { frag, id, initPTS, timescale }) => {
      if (id === "main") this.#zeros.set(frag.cc, initPTS / timescale);
    });
    hls.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => (this.#continuity = frag.cc));
    let repaired = false;
    hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
      if (!fatal) return;
      if (type === Hls.ErrorTypes.MEDIA_ERROR && !repaired) {
        repaired = true;
        hls.recoverMediaError();
      } else {
        this.#lose();
      }
    });
    await new Promise((resolve, reject) => {
      hls.once(Hls.Events.MANIFEST_PARSED, resolve);
      this.lost.then(() => reject(new Error("The HLS playlist cannot be played.")));
      hls.attachMedia(this.video);
      hls.loadSource(url);
    });
    await this.select(this.track);
  }

  async #natively(url) {
    // Such a player sends no headers, and what stands in addresses ends up in logs.
    if (this.token) {
      const asked = { method: "POST", token: this.token };
      const { ticket } = await (await ask(at(this.session, "/hls-tickets"), asked)).json();
      if (ticket) url = at(this.session, `/hls/${ticket}/master.m3u8`);
    }
    await new Promise((resolve, reject) => {
      this.video.addEventListener("loadedmetadata", resolve, { once: true });
      this.video.addEventListener("error", () => {
        this.#lose();
        reject(new Error("This browser cannot play the HLS playlist."));
      }, { once: true });
      this.video.src = url;
    });
    await this.select(this.track);
  }

  #behindEdge() {
    const { seekable, currentTime } = this.video;
    return seekable.length ? Math.max(0, seekable.end(seekable.length - 1) - currentTime) : 0;
  }
}

let loading = null;

/** hls.js, loaded only where it is needed. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("hls.min.js", import.meta.url).href;
    script.onload = () => resolve(window.Hls);
    script.onerror = () => {
      loading = null;
      reject(new Error("The HLS player could not be loaded."));
    };
    document.head.append(script);
  });
  return loading;
}
