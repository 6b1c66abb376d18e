/** Keeps two sounds of one connection together, which browsers leave to their buffers. */

const EVERY = 100; // ms between looks
const LOOKS = 21; // of which the median counts: a busy page sees single ones late
const AT_ONCE = 20; // ms that two sounds may have been seen apart
const RATE = 48; // ticks of their RTP clocks in a millisecond
const CLOSE = 15; // ms that nobody hears, and buffers wander
const FURTHEST = 500; // ms that one is held back for the other

export class Alignment {
  #receivers;
  #buffered;
  #held = 0; // ms: of the second if positive, else of the first
  #seen = [];
  #timer;

  /**
   * @param {RTCRtpReceiver[]} receivers of both; equal RTP timestamps belong together.
   * @param {number} buffered ms that both have in their buffers.
   */
  constructor(receivers, buffered) {
    this.#receivers = receivers;
    this.#buffered = buffered;
    this.#timer = setInterval(() => this.#look(), EVERY);
  }

  /** Milliseconds of media by which the second is behind; `null` where that cannot be told. */
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

  /** Whatever is ahead is held back a little more. */
  #look() {
    const now = this.behind;
    if (now !== null) this.#seen.push(now);
    if (this.#seen.length < LOOKS) return;
    const behind = this.#seen.sort((a, b) => a - b)[(LOOKS - 1) / 2];
    this.#seen = [];
    if (Math.abs(behind) < CLOSE) return;
    this.#held = Math.min(FURTHEST, Math.max(-FURTHEST, this.#held - behind / 2));
    const [first, second] = this.#receivers;
    first.jitterBufferTarget = this.#buffered + Math.max(0, -this.#held);
    second.jitterBufferTarget = this.#buffered + Math.max(0, this.#held);
  }
}
