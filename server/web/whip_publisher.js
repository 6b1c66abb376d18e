/** Publishing by WebRTC: connects, and reconnects when it is cut off. */

import { Refusal, at, backoff, pause } from "./api.js";
import { connected, iceServers, negotiate, release, statistics } from "./negotiate.js";

const CONNECTING = 8_000; // ms
const RECOVERY = 5_000; // ms for which an interrupted connection may recover by itself

export class WhipPublisher {
  #abort = new AbortController();
  #connection = null;
  #location = "";
  #sent = [0, 0];

  /**
   * @param {{session: string, key: string, stream: MediaStream,
   *   onState: (state: string) => void}} options
   */
  constructor({ session, key, stream, onState }) {
    this.session = session;
    this.key = key;
    this.stream = stream;
    this.onState = onState;
  }

  /**
   * Publish until `stop`.
   *
   * @throws {Error} if the server refuses, or has never been reached.
   */
  async run() {
    const { signal } = this.#abort;
    let published = false;
    try {
      for (let tries = 0; ; tries += 1) {
        this.onState(published ? "reconnecting" : "connecting");
        try {
          await this.#connect();
          published = true;
          tries = 0;
          this.onState("live");
          await this.#lost();
        } catch (error) {
          signal.throwIfAborted();
          // A server that has not noticed the lost connection yet answers 409.
          const final = error instanceof Refusal && ![0, 409, 502, 503].includes(error.status);
          if (final || !published) throw error;
        } finally {
          this.#close();
        }
        await pause(backoff(tries), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  stop() {
    this.#abort.abort(new DOMException("stopped", "AbortError"));
    this.#close();
  }

  /**
   * What has been sent since the last call.
   *
   * @returns {Promise<object|null>} `bitrate` in bit/s, `trip` in seconds, share `lost`, `codec`
   *   and `size` of the picture; `null` while there is no connection.
   */
  async figures() {
    if (this.#connection?.connectionState !== "connected") return null;
    const found = await statistics(this.#connection);
    const pair = found["candidate-pair"];
    const picture = found["outbound-rtp video"];
    const reports = [found["remote-inbound-rtp audio"], found["remote-inbound-rtp video"]];
    const [bytes, time] = this.#sent;
    this.#sent = [pair?.bytesSent ?? 0, pair?.timestamp ?? 0];
    const seconds = (this.#sent[1] - time) / 1000;
    return {
      bitrate: time && seconds > 0 ? (8 * (this.#sent[0] - bytes)) / seconds : 0,
      trip: pair?.currentRoundTripTime ?? null,
      lost: Math.max(...reports.map((report) => report?.fractionLost ?? 0)),
      codec: found[picture?.codecId]?.mimeType.split("/")[1] ?? null,
      size: picture?.frameWidth ? `${picture.frameWidth}×${picture.frameHeight}` : null,
    };
  }

  async #connect() {
    const { signal } = this.#abort;
    const url = at(this.session, "/whip");
    const options = { token: this.key, signal };
    const servers = await iceServers(url, options);
    const connection = (this.#connection = new RTCPeerConnection({
      bundlePolicy: "max-bundle",
      iceServers: servers,
    }));
    this.#sent = [0, 0];
    for (const track of this.stream.getTracks()) {
      const options = { direction: "sendonly", streams: [this.stream] };
      const transceiver = connection.addTransceiver(track, options);
      if (track.kind === "video") preferH264(transceiver);
    }
    this.#location = await negotiate(connection, url, options);
    await connected(connection, CONNECTING);
    signal.throwIfAborted();
  }

  #lost() {
    const connection = this.#connection;
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      connection.addEventListener("connectionstatechange", () => {
        const gone = () => ["failed", "closed"].includes(connection.connectionState);
        if (gone()) resolve();
        if (connection.connectionState !== "disconnected") return;
        setTimeout(() => {
          if (gone() || connection.connectionState === "disconnected") resolve();
        }, RECOVERY);
      });
    });
  }

  #close() {
    this.#connection?.close();
    this.#connection = null;
    if (this.#location) release(this.#location, this.key);
    this.#location = "";
  }
}

/** Prefer the codec that every player can show, so that the server need not transcode. */
function preferH264(transceiver) {
  const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const h264 = ({ mimeType }) => mimeType === "video/H264";
  const ordered = [...codecs.filter(h264), ...codecs.filter((codec) => !h264(codec))];
  if (ordered.length) transceiver.setCodecPreferences?.(ordered);
}
