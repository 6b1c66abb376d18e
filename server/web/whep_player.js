/** Watching by WebRTC: at most half a second of latency, tracks switched in place. */

import { Alignment } from "./alignment.js";
import { ask, at } from "./api.js";
import { Mixer } from "./mixer.js";
import { connected, iceServers, negotiate, release, statistics } from "./negotiate.js";

const CONNECTING = 8_000; // ms
const RECOVERY = 5_000; // ms for which an interrupted connection may recover by itself
const STALLED = 3; // checks in a row that find nothing new
// Chrome lets picture and sound drift 30 ms apart before it corrects them, and takes seconds to
// settle on a delay of its own. With a delay set for both, they are in sync from the first picture
// on; the picture's includes what the audio device adds to the sound. ms
const BUFFERED = { audio: 200, video: 230 };

export class WhepPlayer {
  kind = "webrtc";
  hasPicture = false;
  canMix = true;
  #connection;
  #location = "";
  #stream = new MediaStream();
  #sounds = []; // receivers of audio
  #chosen = ""; // tracks last requested of the server, as a query
  #choosing = Promise.resolve();
  #mixer = null;
  #alignment = null;
  #wake = () => this.#mixer.wake();
  #received = -1;
  #stalled = 0;
  #buffer = [0, 0];
  #lose;

  /**
   * @param {{session: string, track: string, bed: number|null, token: string,
   *   video: HTMLVideoElement}} options `bed` is how loud the original is under a dub, 0 to 1;
   *   `null` for the server's own mix.
   */
  constructor({ session, track, bed, token, video }) {
    this.session = session;
    this.track = track;
    this.bed = bed;
    this.token = token;
    this.video = video;
    /** Resolves when the connection is lost. */
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  /** Resolves when media can flow. */
  async start(signal) {
    const endpoint = at(this.session, "/whep");
    const options = { token: this.token, signal, amend: inStereo };
    const servers = await iceServers(endpoint, options);
    const connection = (this.#connection = new RTCPeerConnection({
      bundlePolicy: "max-bundle",
      iceServers: servers,
    }));
    // The second audio track is silent until the viewer mixes.
    const [picture, ...sounds] = ["video", "audio", "audio"].map((kind) =>
      connection.addTransceiver(kind, { direction: "recvonly" }),
    );
    for (const { receiver } of connection.getTransceivers()) {
      receiver.jitterBufferTarget = BUFFERED[receiver.track.kind];
    }
    connection.addEventListener("connectionstatechange", () => this.#look());
    this.#chosen = this.#wanted();
    this.#location = await negotiate(connection, `${endpoint}?${this.#chosen}`, options);
    await connected(connection, CONNECTING);
    signal.throwIfAborted();
    this.#sounds = sounds.map(({ receiver }) => receiver);
    this.hasPicture = picture.currentDirection === "recvonly";
    if (this.hasPicture) this.#stream.addTrack(picture.receiver.track);
    this.#stream.addTrack(this.#sounds[0].track);
    this.#mix();
    this.video.srcObject = this.#stream;
  }

  /** Switch to another track. */
  select(track) {
    this.track = track;
    return this.#choose();
  }

  /** Set the level of the original under the dub; see the constructor. */
  setBed(level) {
    this.bed = level;
    this.#mix();
    return this.#choose();
  }

  /** Media time being shown, ticks: what the server sends is shown at once. */
  position(serverPosition) {
    return serverPosition;
  }

  /**
   * Figures of the connection, measured since the last call.
   *
   * @returns {Promise<{label: string, buffer: number}>} seconds in `buffer` from the server to
   *   the viewer.
   */
  async figures(live) {
    const [, heard] = this.#connection.getTransceivers();
    const found = await statistics(this.#connection);
    const sound = (await statistics(heard.receiver))["inbound-rtp audio"];
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
    this.video.removeEventListener("play", this.#wake);
    this.#mixer?.close();
    this.#alignment?.close();
  }

  get #mixes() {
    return this.bed !== null && this.track !== "original";
  }

  /** The tracks to request, as a query: a finished one, or those that the page mixes. */
  #wanted() {
    const names = this.#mixes ? [`${this.track}.voice`, "original"] : [this.track];
    return new URLSearchParams(names.map((name) => ["track", name])).toString();
  }

  /** Request the wanted tracks of the server, one change after another. */
  #choose() {
    this.#choosing = this.#choosing.catch(() => {}).then(async () => {
      const wanted = this.#wanted();
      if (wanted === this.#chosen) return;
      await ask(`${this.#location}/track?${wanted}`, { method: "PUT", token: this.token });
      this.#chosen = wanted;
      this.#mix();
    });
    return this.#choosing;
  }

  /** Play through the mixer once it is first needed; a single track passes unchanged. */
  #mix() {
    if (!this.#mixer && this.#mixes && this.#sounds.length) {
      const [heard, original] = this.#sounds.map(({ track }) => track);
      this.#mixer = new Mixer(heard, original, this.bed);
      this.#stream.removeTrack(heard);
      this.#stream.addTrack(this.#mixer.track);
      this.video.addEventListener("play", this.#wake);
      this.#alignment = new Alignment(this.#sounds, BUFFERED.audio);
    }
    if (this.#mixer && this.bed !== null) this.#mixer.level = this.bed;
  }

  /** Mean time in the jitter buffer since the last call, seconds. */
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

/** Browsers play Opus in mono unless each section of the offer asks for both channels. */
function inStereo(sdp) {
  const payload = /^a=rtpmap:(\d+) opus\//im.exec(sdp)?.[1];
  if (!payload) return sdp;
  return sdp.replace(new RegExp(`^(a=fmtp:${payload} .*)$`, "gm"), "$1;stereo=1");
}
