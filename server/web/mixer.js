/** A dub's voice and the original, mixed as the viewer likes it, as one track to be played. */

const GLIDE = 0.02; // s: time constant of a change of level, so that it does not click
// The two may add up to more than full scale. Web Audio's compressor also makes loud what it has
// made quiet, by 0.6 of what full scale loses (Web Audio 1.1, 1.19.4); that is taken back.
const CEILING = { threshold: -3, knee: 0, ratio: 20, attack: 0.002, release: 0.1 };
const MAKE_UP = 10 ** ((0.6 * CEILING.threshold * (1 - 1 / CEILING.ratio)) / 20);

export class Mixer {
  /** What is to be played. */
  track;
  #context = new AudioContext();
  #original;
  #taps;

  /**
   * @param {MediaStreamTrack} voice heard as it is.
   * @param {MediaStreamTrack} original
   * @param {number} level of the original, 0 to 1.
   */
  constructor(voice, original, level) {
    const context = this.#context;
    this.#taps = [voice, original].map((track) => new MediaStream([track])).map(pulled);
    const [voiceSource, originalSource] = this.#taps.map(({ srcObject }) =>
      context.createMediaStreamSource(srcObject),
    );
    const ceiling = new DynamicsCompressorNode(context, CEILING);
    const output = new MediaStreamAudioDestinationNode(context);
    this.#original = new GainNode(context, { gain: level });
    voiceSource.connect(ceiling);
    originalSource.connect(this.#original).connect(ceiling);
    ceiling.connect(new GainNode(context, { gain: MAKE_UP })).connect(output);
    [this.track] = output.stream.getAudioTracks();
    this.wake();
  }

  /** Change how loud the original is, 0 to 1. */
  set level(level) {
    this.#original.gain.setTargetAtTime(level, this.#context.currentTime, GLIDE);
  }

  /** Browsers may have kept it silent until the viewer did something. */
  wake() {
    this.#context.resume();
  }

  close() {
    this.#taps.forEach((tap) => (tap.srcObject = null));
    this.track.stop();
    this.#context.close();
  }
}

/** Chrome lets the sound of a connection flow only while a media element plays it. */
function pulled(stream) {
  const element = new Audio();
  element.muted = true;
  element.srcObject = stream;
  element.play().catch(() => {}); // what ends it is the mixer's end
  return element;
}
