// What the WebAssembly asks of JavaScript: clocks, timers, streams, and objects for what it has found. It is called with numbers and
// texts, and holds no object of ours but transports and handlers.

import { platform } from "./platform.js";
import { errorOf, Message, Receipt } from "./values.js";

/** What the WebAssembly exports, once it is there. */
let wasm;

export function attach(exports) {
  wasm = exports;
}

// Clocks and chance.

export const monotonicMs = () => performance.now();
export const unixMs = () => Date.now();
export const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

// Timers.

const timers = new Map();

export function setTimer(timer, milliseconds) {
  const set = setTimeout(() => {
    timers.delete(timer);
    enter(() => wasm.timerDue(timer));
  }, milliseconds);
  // Only what waits for something holds a process.
  set.unref?.();
  timers.set(timer, set);
}

export function clearTimer(timer) {
  clearTimeout(timers.get(timer));
  timers.delete(timer);
}

// Streams.

const streams = new Map();

export function open(connection, transport, host, port) {
  let isOver = false;
  const tell = (what) => {
    if (!isOver) enter(what);
  };
  const end = (reason) => {
    if (isOver) return;
    const text = reason == null ? undefined : textOf(reason);
    enter(() => wasm.closed(connection, text, reason?.isTls === true, transport.perhaps));
    isOver = true;
  };
  const events = {
    opened: () => tell(() => wasm.opened(connection)),
    received: (bytes) => {
      if (!(bytes instanceof Uint8Array)) throw errorOf("INVALID_ARGUMENT", "a transport receives bytes as Uint8Array", false);
      tell(() => wasm.received(connection, bytes));
    },
    drained: () => tell(() => wasm.drained(connection)),
    closed: end,
  };
  try {
    const stream = transport.open({ host, port }, events);
    if (typeof stream?.write !== "function" || typeof stream.close !== "function") {
      throw new TypeError("what a transport opens is an object with functions `write` and `close`");
    }
    streams.set(connection, { stream, end, forget: () => (isOver = true) });
  } catch (error) {
    end(error);
  }
}

export function write(connection, bytes) {
  const known = streams.get(connection);
  try {
    return known?.stream.write(bytes) !== false;
  } catch (error) {
    known.end(error);
    return false;
  }
}

export function close(connection) {
  const known = streams.get(connection);
  streams.delete(connection);
  known?.forget();
  try {
    known?.stream.close();
  } catch {
    // It is closed.
  }
}

// Calls.

const calls = new Map();
let lastCall = 0;
/** Why nothing works any more. */
let trapped;

/** Calls into the WebAssembly. After it has trapped there is nothing whole in it: every call says so. */
export function enter(what) {
  if (trapped) throw trapped;
  try {
    return what();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    panicked(error.message, error);
    throw trapped;
  }
}

/** The WebAssembly has failed, perhaps in a task that nobody has called. */
export function panicked(text, cause) {
  if (trapped) return;
  trapped = errorOf("CLOSED", `the client has failed by a fault of its own: ${text}`, false);
  if (cause) trapped.cause = cause;
  for (const number of [...calls.keys()]) settled(number).reject(trapped);
}

/** A promise for what `start`, which gets the call's number, brings about. Aborting withdraws it. It holds the process, unless it may
 * wait for ever and for nothing in particular. */
export function call(start, signal, holds = true) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    // One may wait for as long as it takes all numbers to be used.
    do lastCall = (lastCall + 1) >>> 0; while (calls.has(lastCall));
    const number = lastCall;
    const release = holds ? platform.hold() : undefined;
    const aborted = () => {
      settled(number);
      enter(() => wasm.abort(number));
      reject(signal.reason);
    };
    const unheard = signal ? heard(signal, aborted) : undefined;
    const forget = () => {
      unheard?.();
      release?.();
    };
    calls.set(number, { resolve, reject, forget });
    try {
      enter(() => start(number));
    } catch (error) {
      settled(number);
      throw error;
    }
  });
}

/** Whom to tell of signals that are aborted: each has one listener of ours, whatever number of calls it is for. */
const listening = new WeakMap();

function heard(signal, aborted) {
  let all = listening.get(signal);
  if (!all) {
    all = new Set();
    listening.set(signal, all);
    signal.addEventListener("abort", () => all.forEach((each) => each()), { once: true });
  }
  all.add(aborted);
  return () => all.delete(aborted);
}

function settled(number) {
  const known = calls.get(number);
  calls.delete(number);
  known?.forget?.();
  return known;
}

export const resolve = (number, value) => settled(number)?.resolve(value);
export const reject = (number, error) => settled(number)?.reject(error);

// Objects.

export const failure = errorOf;

export function addAttempt(error, address, afterMs, outcome) {
  error.attempts.push({ address, afterMs, outcome });
}

export const receipt = (status, id, offsetId, topic, brokerName, queueId, offset) =>
  new Receipt(status, id, offsetId, { topic, brokerName, queueId }, offset);

export const message = (...parts) => new Message(...parts);

// Handlers.

/** A message was not consumed: when it comes again, and why. */
export class Verdict {
  constructor(delay, reason) {
    this.delay = delay;
    this.reason = reason;
  }
}

/** Whatever an application throws: also what has no text, or one that throws in its turn. */
function textOf(error) {
  try {
    return String(error?.stack ?? error?.message ?? error);
  } catch {
    return "the handler threw what cannot be made a text of";
  }
}

/** `handler` is the application's, with what is wrong with a verdict of it, if anything. */
export function handle({ handler, wrongWith }, messages) {
  const ofResult = (result) => {
    if (!(result instanceof Verdict)) return undefined;
    const wrong = wrongWith(result.delay);
    return wrong === undefined ? result : new Verdict(undefined, wrong);
  };
  const ofFailure = (error) =>
    ofResult(error) ?? new Verdict(undefined, textOf(error));
  try {
    const result = handler(messages);
    return typeof result?.then === "function" ? Promise.resolve(result).then(ofResult, ofFailure) : ofResult(result);
  } catch (error) {
    return ofFailure(error);
  }
}

export const verdictDelay = (verdict) => verdict.delay;
export const verdictReason = (verdict) => verdict.reason ?? "the handler said so";
