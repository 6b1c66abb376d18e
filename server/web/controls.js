/** Buttons, volume, tracks and keys of the player. */

const names = new Intl.DisplayNames(["en"], { type: "language" });

/** A track's name for people. */
export function trackName(track, language) {
  const shown = (code) => names.of(code) ?? code;
  return track === "original" ? `Original · ${shown(language)}` : shown(track);
}

export class Controls {
  #last = "both";

  /**
   * @param {Record<string, HTMLElement>} elements `video`, `watch`, `play`, `mute`, `volume`,
   *   `full`, `tracks` and `captionChoice`.
   * @param {{onTrack: (track: string) => void, onCaptions: (choice: string) => void}} actions
   */
  constructor(elements, actions) {
    Object.assign(this, elements, actions);
    this.play.addEventListener("click", () => this.togglePlay());
    this.mute.addEventListener("click", () => (this.video.muted = !this.video.muted));
    this.volume.addEventListener("input", () => this.#louder(this.volume.value / 100));
    this.full.addEventListener("click", () => this.toggleFull());
    this.captionChoice.addEventListener("change", () => this.#caption(this.captionChoice.value));
    for (const event of ["play", "pause", "volumechange"]) {
      this.video.addEventListener(event, () => this.#reflect());
    }
    document.addEventListener("fullscreenchange", () => this.#reflect());
    document.addEventListener("keydown", (event) => this.#key(event));
    this.#reflect();
  }

  togglePlay() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.watch.requestFullscreen) this.watch.requestFullscreen().catch(() => {});
    else this.video.webkitEnterFullscreen?.(); // iPhones can only show the video element itself
  }

  /** Offer the tracks of a session. */
  offer(tracks, language, chosen) {
    // Dubs first: they are what the page is for, so key 1 selects the first dub.
    const ordered = [...tracks.filter((t) => t !== "original"), "original"];
    if (ordered.join() !== this.#offered().join()) {
      this.tracks.replaceChildren(
        ...ordered.map((track, index) => {
          const button = document.createElement("button");
          Object.assign(button, { type: "button", textContent: trackName(track, language) });
          button.dataset.track = track;
          button.setAttribute("aria-keyshortcuts", String(index + 1));
          button.addEventListener("click", () => this.onTrack(track));
          return button;
        }),
      );
    }
    for (const button of this.tracks.children) {
      button.setAttribute("aria-pressed", String(button.dataset.track === chosen));
    }
  }

  #offered() {
    return [...this.tracks.children].map((button) => button.dataset.track);
  }

  #louder(volume) {
    this.video.volume = Math.min(1, Math.max(0, volume));
    this.video.muted = this.video.volume === 0;
  }

  #caption(choice) {
    if (choice !== "off") this.#last = choice;
    this.captionChoice.value = choice;
    this.onCaptions(choice);
  }

  #reflect() {
    const { paused, muted, volume } = this.video;
    label(this.play, paused ? "Play" : "Pause", paused ? "play" : "pause");
    label(this.mute, muted ? "Unmute" : "Mute", muted ? "muted" : "sound");
    const full = Boolean(document.fullscreenElement);
    label(this.full, full ? "Leave full screen" : "Full screen", full ? "small" : "full");
    this.volume.value = muted ? 0 : Math.round(100 * volume);
  }

  #key(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (target.closest("input:not([type=range]), select, textarea")) return;
    // Buttons, sliders and lists keep the keys that operate them.
    if ([" ", "Enter"].includes(key) && target.closest("button, a, summary")) return;
    if (key.startsWith("Arrow") && target.closest("input, [tabindex]")) return;
    const act = this.#actions[key.toLowerCase()] ?? this.#track(key);
    if (!act) return;
    event.preventDefault();
    act();
  }

  #actions = {
    " ": () => this.togglePlay(),
    k: () => this.togglePlay(),
    m: () => (this.video.muted = !this.video.muted),
    c: () => this.#caption(this.captionChoice.value === "off" ? this.#last : "off"),
    f: () => this.toggleFull(),
    arrowup: () => this.#louder(this.#loudness() + 0.1),
    arrowdown: () => this.#louder(this.#loudness() - 0.1),
  };

  #loudness() {
    return this.video.muted ? 0 : this.video.volume;
  }

  #track(key) {
    const button = /^[1-9]$/.test(key) ? this.tracks.children[key - 1] : null;
    return button && (() => button.click());
  }
}

function label(button, text, icon) {
  if (button.dataset.icon === icon) return;
  button.setAttribute("aria-label", text);
  button.title = text;
  button.dataset.icon = icon;
}
