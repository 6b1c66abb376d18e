/** Keeps two audio tracks of one connection in sync, which browsers leave to their jitter buffers. */

const SAMPLE_EVERY = 100; // ms between samples
const SAMPLES = 21; // whose median counts: on a busy page single ones are late
const AT_ONCE = 20; // ms between two samples that count as taken together
const RATE = 48; // ticks of their RTP clocks in a millisecond
const CLOSE = 15; // ms: inaudible, and buffers vary by as much
const MOST = 500; // ms by which one is held back at most

export class Alignment {
  #receivers;
  #buffered;
  #held = 0; // ms by which the second is held back if positive, else the first
  #seen = [];
  #timer;

  /**
   * @param {RTCRtpReceiver[]} receivers of both; equal RTP timestamps belong together.
   * @param {number} buffered ms of media in both jitter buffers.
   */
  constructor(receivers, buffered) {
    this.#receivers = receivers;
    this.#buffered = buffered;
    this.#timer = setInterval(() => this.#look(), SAMPLE_EVERY);
  }

  /** Milliseconds of media by which the second is behind; `null` if unknown. */
  get behind() {
    const [first, second] = this.#receivers.map((r) => r.getSynchronizationSources()[0]);
    if (!first || !second) return null;
    const apart = first.timestamp - second.timestamp;
    if (Math.abs(apart) > AT_ONCE) return null;
    return ((first.rtpTimestamp - second.rtpTimestamp) | 0) / RATE - apart;
  }

  close() {
    clearInterval(this.#timer);
  }

  /** Hold back whichever is ahead a little more. */
  #look() {
    const now = this.behind;
    if (now !== null) this.#seen.push(now);
    if (this.#seen.length < SAMPLES) return;
    const behind = this.#seen.sort((a, b) => a - b)[(SAMPLES - 1) / 2];
    this.#seen = [];
    if (Math.abs(behind) < CLOSE) return;
    this.#held = Math.min(MOST, Math.max(-MOST, this.#held - behind / 2));
    const [first, second] = this.#receivers;
    first.jitterBufferTarget = this.#buffered + Math.max(0, -this.#held);
    second.jitterBufferTarget = this.#buffered + Math.max(0, this.#held);
  }
}
