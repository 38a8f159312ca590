// When a WebSocket to a gateway that is away may be opened. Once many have failed, browsers hold each new one back for up to five seconds, so
// while none can be opened they are tried one by one, more and more rarely; the others wait for what comes of it.

const LEAST_MS = 250;
const MOST_MS = 2000;

const gates = new Map();

/** The gate of all tunnels of this address. */
export function gateOf(url) {
  if (!gates.has(url)) gates.set(url, new Gate());
  return gates.get(url);
}

// A Worker hears of it, too.
globalThis.addEventListener?.("online", () => gates.forEach((gate) => gate.open()));

class Gate {
  /** How many have been tried since the gateway is away; none, while it is not. */
  #tries = 0;
  #nextAt = 0;
  /** What is called when one may be opened. */
  #waiting = new Set();
  #timer;

  /** Calls `go` when a WebSocket may be opened. */
  enter(go) {
    if (this.#tries === 0) return go();
    this.#waiting.add(go);
    this.#look();
  }

  /** One stands, or there is reason to try again: whoever waits may. */
  open() {
    this.#tries = 0;
    clearTimeout(this.#timer);
    const all = [...this.#waiting];
    this.#waiting.clear();
    all.forEach((go) => go());
  }

  /** One could not be opened. */
  fail() {
    if (this.#tries > 0) return;
    this.#tries = 1;
    this.#nextAt = performance.now() + LEAST_MS;
  }

  /** Who waited does not want one any more. */
  leave(go) {
    this.#waiting.delete(go);
  }

  /** One that hangs keeps nobody from trying. */
  #look() {
    clearTimeout(this.#timer);
    const [go] = this.#waiting;
    if (!go) return;
    const now = performance.now();
    if (now >= this.#nextAt) {
      this.#waiting.delete(go);
      this.#nextAt = now + Math.min(LEAST_MS * 2 ** this.#tries++, MOST_MS);
      go();
    }
    this.#timer = setTimeout(() => this.#look(), this.#nextAt - now);
  }
}
