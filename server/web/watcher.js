/** Keeps one session playing: waits for it, connects, falls back to HLS, and reconnects. */

import { Refusal, backoff, pause, showSession, tokens } from "./api.js";
import { HlsPlayer } from "./hls_player.js";
import { WhepPlayer } from "./whep_player.js";

const POLL = 2_000; // ms between requests for the session's state
const FALL_BACK = 2; // consecutive failures of WebRTC after which HLS is tried

export class Watcher {
  /** The session as the server last described it. */
  info = null;
  /** The current player. */
  player = null;
  #failures = 0;
  #reached = false; // whether WebRTC has worked here
  #unusable = false; // whether WebRTC never will
  #abort = new AbortController();

  /**
   * @param {{session: string, mode: string, track: string, bed: number|null,
   *   video: HTMLVideoElement, onState: (state: string, detail?: string) => void, onLook: (figures: object) => void,
   *   onPlayer: (player: object) => void, position: () => number}} options `track` is empty for
   *   the first dub; `bed` is how loud the original is under it, 0 to 1, or `null` for as mixed;
   *   `position` returns the server's media time in ticks.
   */
  constructor(options) {
    Object.assign(this, options);
  }

  stop() {
    this.#abort.abort(new DOMException("stopped", "AbortError"));
    this.player?.close();
    this.player = null;
  }

  /** Runs until `stop`. */
  async run() {
    try {
      for (;;) await this.#once();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.stop();
      this.onState("error", `The page has failed: ${error.message}`);
      throw error;
    }
  }

  /** Switch to another track, now or once something plays. */
  async select(track) {
    this.track = track;
    await this.player?.select(track);
  }

  /** Set the level of the original; see the constructor. */
  async setBed(level) {
    this.bed = level;
    if (this.player?.canMix) await this.player.setBed(level);
  }

  async #once() {
    const { signal } = this.#abort;
    try {
      this.info = await showSession(this.session, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error.locked) return this.#locked(error.message);
      if (error.status === 404) this.onState("none", `There is no session “${this.session}”.`);
      else this.onState("reconnecting", error.message);
      return pause(POLL, signal);
    }
    this.onLook(null);
    const blocked = unwatchable(this.info);
    const gone = ["error", "ended"].includes(blocked?.[0]);
    if (this.info.protected && !tokens.of(this.session) && !gone) {
      return this.#locked("This session is protected: its token is needed.");
    }
    if (blocked) {
      this.#failures = 0;
      this.onState(...blocked);
      return pause(POLL / 2, signal);
    }
    if (this.mode === "hls" && !this.info.hls) {
      this.onState("error", "HLS is off for this session: choose WebRTC.");
      return pause(POLL, signal);
    }
    if (!this.info.tracks.includes(this.track)) this.track = this.info.tracks[1] ?? "original";
    this.onState(this.#failures ? "reconnecting" : "connecting");
    const player = this.#make();
    try {
      await player.start(signal);
    } catch (error) {
      player.close();
      signal.throwIfAborted();
      return this.#failed(player, error);
    }
    await this.#play(player);
  }

  #make() {
    const tired = this.#unusable || this.#failures >= FALL_BACK;
    const byHls = this.mode === "hls" || (this.mode === "auto" && tired && this.info.hls);
    const { session, track, bed, video } = this;
    const Player = byHls ? HlsPlayer : WhepPlayer;
    return new Player({ session, track, bed, video, token: tokens.of(session) });
  }

  async #failed(player, error) {
    if (error instanceof Refusal && error.locked) return this.#locked(error.message);
    this.#failures += 1;
    this.onState("reconnecting", error.message);
    // HLS is for networks that WebRTC cannot cross, and for codecs that it lacks; if the server
    // cannot be reached at all, it does not help.
    const usable = error.status === 0 || (this.#reached && error.status !== 422);
    if (player.kind === "webrtc" && !usable) this.#unusable = true;
    const turn = player.kind === "webrtc" && !usable && this.mode === "auto" && this.info.hls;
    await pause(turn ? 0 : backoff(this.#failures), this.#abort.signal);
  }

  /** End the run; a token starts a new one. */
  #locked(sentence) {
    this.onState("locked", sentence);
    return new Promise((_, reject) => {
      const { signal } = this.#abort;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  async #play(player) {
    const { signal } = this.#abort;
    const { connections } = this.info;
    this.player = player;
    this.#reached ||= player.kind === "webrtc";
    this.onPlayer(player);
    const begun = performance.now();
    let lost = false;
    player.lost.then(() => (lost = true));
    try {
      while (!lost) {
        this.#say(player);
        await Promise.race([player.lost, pause(POLL, signal)]);
        await this.#look(player);
        if (over(this.info) && (player.kind === "webrtc" || this.video.ended)) return;
        // The first publisher may have sent sound only; the next may send a picture.
        if (!player.hasPicture && this.info.connections !== connections) return;
      }
      this.#failures = performance.now() - begun > 10_000 ? 1 : this.#failures + 1;
      this.onState("reconnecting");
      if (this.#failures > 1) await pause(backoff(this.#failures), signal);
    } finally {
      player.close();
      if (this.player === player) this.player = null;
    }
  }

  /** One missed answer of the server does not stop playback. */
  async #look(player) {
    try {
      this.info = await showSession(this.session, this.#abort.signal);
    } catch (error) {
      this.#abort.signal.throwIfAborted();
      if (error.status === 404) this.info = { ...this.info, state: "ended" };
    }
    this.onLook(await player.figures(this.info.state === "live", this.position()));
  }

  #say(player) {
    if (this.info.state === "waiting") this.onState("waiting", "The publisher has left.");
    else if (over(this.info)) this.onState("live");
    else this.onState("live", player.hasPicture ? "" : "Sound only");
  }
}

/** Why there is nothing to connect to, as state and sentence; `null` if there is something. */
function unwatchable(info) {
  if (info.state === "failed") return ["error", failure(info)];
  if (info.state === "ended") return ["ended", "The session has ended."];
  if (info.state === "starting") return ["waiting", "The session is starting."];
  if (info.position > 0) return null;
  if (info.state === "waiting") return ["waiting", "Waiting for the publisher."];
  return ["waiting", `The dub begins ${Math.ceil(info.delay_s)} s after its source.`];
}

/** Why a session has failed, and when it will be back. */
function failure({ error, restart_in_s: left }) {
  const sentence = `The session has failed: ${error.replace(/[.]$/, "")}.`;
  return left == null ? sentence : `${sentence} It starts again in ${Math.ceil(left)} s.`;
}

function over(info) {
  return info.state === "ended" || info.state === "failed";
}
