/** A dub's voice and the original, mixed to the viewer's taste into one track. */

const GLIDE = 0.02; // s: time constant of a change of level, so that it does not click
// The two may add up to more than full scale. Web Audio's compressor adds make-up gain, 0.6 of what
// full scale loses in dB (Web Audio 1.1, 1.19.4), which is undone here.
const CEILING = { threshold: -3, knee: 0, ratio: 20, attack: 0.002, release: 0.1 };
const MAKE_UP = 10 ** ((0.6 * CEILING.threshold * (1 - 1 / CEILING.ratio)) / 20);

export class Mixer {
  /** The mixed track. */
  track;
  #context = new AudioContext();
  #original;
  #taps;

  /**
   * @param {MediaStreamTrack} voice at its own level.
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

  /** Set the level of the original, 0 to 1. */
  set level(level) {
    this.#original.gain.setTargetAtTime(level, this.#context.currentTime, GLIDE);
  }

  /** Resume: browsers may keep it silent until the viewer interacts with the page. */
  wake() {
    this.#context.resume();
  }

  close() {
    this.#taps.forEach((tap) => (tap.srcObject = null));
    this.track.stop();
    this.#context.close();
  }
}

/** Chrome delivers the sound of a connection only while a media element plays it. */
function pulled(stream) {
  const element = new Audio();
  element.muted = true;
  element.srcObject = stream;
  element.play().catch(() => {}); // interrupted when the mixer is closed
  return element;
}
