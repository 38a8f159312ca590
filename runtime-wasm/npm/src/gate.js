// Who may open a WebSocket to a gateway that is away. Once many have failed, browsers hold each new one back for up to five seconds, so while
// none can be opened one is tried at a time, more and more rarely; the others wait for what comes of it.

const LEAST_MS = 250;
const MOST_MS = 2000;

const gates = new Map();

/** The gate in front of what is at the origin of this URL. */
export function gateOf(url) {
  const { origin } = new URL(url);
  if (!gates.has(origin)) gates.set(origin, new Gate());
  return gates.get(origin);
}

// A Worker hears of it, too.
globalThis.addEventListener?.("online", () => gates.forEach((gate) => gate.hurry()));

class Gate {
  /** Since one was opened. */
  #failures = 0;
  #nextAt = 0;
  #tried;
  /** What is called when it may be opened. */
  #waiting = new Set();
  #timer;

  /** Calls `open` when a WebSocket may be opened: what becomes of it is to be told by `opened` or `left`. */
  enter(open) {
    if (this.#failures === 0) return open();
    this.#waiting.add(open);
    this.#look();
  }

  opened() {
    this.#failures = 0;
    this.#tried = undefined;
    const all = [...this.#waiting];
    this.#waiting.clear();
    all.forEach((open) => open());
  }

  /** It could not be opened, or is not wanted any more. */
  left(open, hasFailed) {
    this.#waiting.delete(open);
    if (hasFailed && (this.#failures === 0 || this.#tried === open)) {
      this.#nextAt = performance.now() + Math.min(LEAST_MS * 2 ** this.#failures++, MOST_MS);
    }
    if (this.#tried === open) this.#tried = undefined;
    this.#look();
  }

  /** It may be there again. */
  hurry() {
    this.#nextAt = 0;
    this.#look();
  }

  #look() {
    clearTimeout(this.#timer);
    if (this.#tried || this.#waiting.size === 0) return;
    const pause = this.#nextAt - performance.now();
    if (pause > 0) return void (this.#timer = setTimeout(() => this.#look(), pause));
    [this.#tried] = this.#waiting;
    this.#waiting.delete(this.#tried);
    this.#tried();
  }
}
