/** How loud the original is under the dub: as mixed by the server, or as the viewer sets it. */

const KEPT = "original level";
const MIXED = "As mixed: quieter while the dub speaks";
const USE = "How loud the original is under the dub";

export class BedControl {
  /** `null` for the server's mix, else 0 to 1. */
  level = null;
  #slider;
  #auto;
  #rest;

  /**
   * @param {{slider: HTMLInputElement, auto: HTMLButtonElement}} elements until the slider is
   *   moved, it shows about the level of the mix.
   * @param {(level: number|null) => void} onLevel
   */
  constructor({ slider, auto }, onLevel) {
    this.#slider = slider;
    this.#auto = auto;
    this.#rest = slider.value;
    slider.addEventListener("input", () => this.#set(slider.value / 100, onLevel));
    auto.addEventListener("click", () => this.#set(null, onLevel));
    this.#set(kept(), () => {});
    this.offer("");
  }

  /** Enable it, or disable it and say in a sentence why. */
  offer(obstacle) {
    this.#slider.disabled = this.#auto.disabled = Boolean(obstacle);
    this.#slider.title = obstacle || USE;
    this.#auto.title = obstacle || MIXED;
  }

  #set(level, onLevel) {
    this.level = level;
    const mixed = level === null;
    const shown = mixed ? this.#rest : String(Math.round(100 * level));
    if (this.#slider.value !== shown) this.#slider.value = shown;
    this.#slider.setAttribute("aria-valuetext", mixed ? MIXED : `${shown} %`);
    this.#auto.setAttribute("aria-pressed", String(mixed));
    keep(level);
    onLevel(level);
  }
}

function kept() {
  try {
    const level = parseFloat(localStorage.getItem(KEPT));
    return level >= 0 && level <= 1 ? level : null;
  } catch {
    return null; // storage is blocked
  }
}

function keep(level) {
  try {
    if (level === null) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, String(level));
  } catch {
    // storage is blocked
  }
}
