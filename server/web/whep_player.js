/** Watching by WebRTC: half a second of latency at most, tracks exchanged in place. */

import { ask, at } from "./api.js";
import { connected, negotiate, release, statistics } from "./negotiate.js";

const CONNECTING = 8_000; // ms
const RECOVERY = 5_000; // ms that an interrupted connection is given to come back by itself
const STALLED = 3; // looks in a row that find nothing new
// Chrome lets picture and sound drift 30 ms apart before it does something about it, and takes
// seconds to agree on a delay of its own. With a delay given for both, they are together from the
// first picture on; the picture gets what the sound still has to wait for the device. ms
const BUFFERED = { audio: 200, video: 230 };

export class WhepPlayer {
  kind = "webrtc";
  hasPicture = false;
  #connection;
  #location = "";
  #received = -1;
  #stalled = 0;
  #buffer = [0, 0];
  #lose;

  /** @param {{session: string, track: string, token: string, video: HTMLVideoElement}} options */
  constructor({ session, track, token, video }) {
    this.session = session;
    this.track = track;
    this.token = token;
    this.video = video;
    /** Resolves when the connection is lost. */
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  /** Resolves when media can flow. */
  async start(signal) {
    const connection = (this.#connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
    const stream = new MediaStream();
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addTransceiver("audio", { direction: "recvonly" });
    connection.addEventListener("track", ({ track, receiver }) => {
      receiver.jitterBufferTarget = BUFFERED[track.kind];
      stream.addTrack(track);
    });
    connection.addEventListener("connectionstatechange", () => this.#look());
    const url = `${at(this.session, "/whep")}?track=${encodeURIComponent(this.track)}`;
    const options = { token: this.token, signal, amend: inStereo };
    this.#location = await negotiate(connection, url, options);
    await connected(connection, CONNECTING);
    signal.throwIfAborted();
    const [picture] = connection.getTransceivers();
    this.hasPicture = picture.currentDirection === "recvonly";
    if (!this.hasPicture) stream.getVideoTracks().forEach((track) => stream.removeTrack(track));
    this.video.srcObject = stream;
  }

  /** Hear another track from now on. */
  async select(track) {
    const url = `${this.#location}/track?track=${encodeURIComponent(track)}`;
    await ask(url, { method: "PUT", token: this.token });
    this.track = track;
  }

  /** Media time on show in ticks: what the server sends is shown at once, so it knows best. */
  position(serverPosition) {
    return serverPosition;
  }

  /**
   * What there is to tell about the connection, measured since the last call.
   *
   * @returns {Promise<{label: string, buffer: number}>} seconds in `buffer` from the server to
   *   the viewer.
   */
  async figures(live) {
    const found = await statistics(this.#connection);
    const sound = found["inbound-rtp audio"];
    const pair = found["candidate-pair"];
    const received = sound?.packetsReceived ?? 0;
    this.#stalled = live && received === this.#received ? this.#stalled + 1 : 0;
    this.#received = received;
    if (this.#stalled >= STALLED) this.#lose();
    const trip = (pair?.currentRoundTripTime ?? 0) / 2;
    const relayed = found[pair?.localCandidateId]?.candidateType === "relay";
    return { label: relayed ? "WebRTC, relayed" : "WebRTC", buffer: trip + this.#delay(sound) };
  }

  close() {
    this.#connection?.close();
    if (this.#location) release(this.#location, this.token);
    this.video.srcObject = null;
  }

  /** Mean time in the jitter buffer since the last look, seconds. */
  #delay(sound) {
    if (!sound) return 0;
    const [delay, count] = this.#buffer;
    this.#buffer = [sound.jitterBufferDelay, sound.jitterBufferEmittedCount];
    const played = sound.jitterBufferEmittedCount - count;
    return played > 0 ? (sound.jitterBufferDelay - delay) / played : 0;
  }

  #look() {
    const state = this.#connection.connectionState;
    if (state === "failed" || state === "closed") this.#lose();
    if (state !== "disconnected") return;
    setTimeout(() => {
      if (this.#connection.connectionState === "disconnected") this.#lose();
    }, RECOVERY);
  }
}

/** Browsers play Opus in mono unless the offer asks for both channels. */
function inStereo(sdp) {
  const payload = /^a=rtpmap:(\d+) opus\//im.exec(sdp)?.[1];
  if (!payload) return sdp;
  return sdp.replace(new RegExp(`^(a=fmtp:${payload} .*)$`, "m"), "$1;stereo=1");
}
