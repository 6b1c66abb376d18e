/** Cameras, microphones and screens, and their sound level. */

const FLOOR = -60; // dBFS

/**
 * Open a source; the browser asks the user.
 *
 * @param {"camera"|"microphone"|"screen"} source
 * @param {{camera: string, microphone: string}} devices ids; empty for the default.
 * @returns {Promise<MediaStream>} one audio track, and a picture unless it is a microphone.
 * @throws {Error} with one sentence.
 */
export async function open(source, { camera, microphone }) {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers allow cameras and microphones over HTTPS or on localhost only.");
  }
  const audio = { deviceId: microphone || undefined };
  const picture = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { max: 30 } };
  const video = { deviceId: camera || undefined, ...picture };
  try {
    if (source === "microphone") return await navigator.mediaDevices.getUserMedia({ audio });
    if (source === "camera") return await navigator.mediaDevices.getUserMedia({ audio, video });
    return await screen(audio);
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The source cannot be opened: ${error.message}`);
  }
}

/** Stop all tracks, so that the browser stops showing that it is recording. */
export function release(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

const REASONS = {
  NotAllowedError: "The browser has no permission to use the source: allow it and try again.",
  NotFoundError: "There is no such camera or microphone.",
  NotReadableError: "The camera or microphone is in use by another program.",
  OverconstrainedError: "The chosen camera or microphone is no longer connected.",
};

async function screen(audio) {
  const shared = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  if (shared.getAudioTracks().length) return shared;
  try {
    const spoken = await navigator.mediaDevices.getUserMedia({ audio });
    return new MediaStream([...shared.getVideoTracks(), ...spoken.getAudioTracks()]);
  } catch (error) {
    release(shared);
    throw error;
  }
}

/** Measures the sound of a stream. */
export class Level {
  #context = new AudioContext();
  #analyser = this.#context.createAnalyser();
  #samples = new Float32Array(this.#analyser.fftSize);

  constructor(stream) {
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    this.#context.resume();
  }

  /** Peak of about the last 40 ms in dBFS, at least -60. */
  get peak() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let peak = 0;
    for (const sample of this.#samples) peak = Math.max(peak, Math.abs(sample));
    return Math.max(FLOOR, 20 * Math.log10(peak || 1e-9));
  }

  close() {
    this.#context.close();
  }
}
