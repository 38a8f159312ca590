// What the WebAssembly asks of JavaScript: clocks, timers, streams, and objects for what it has found. It is called with numbers and
// texts, and holds no object of ours but transports and handlers.

import { platform } from "./platform.js";
import { ConnectionError, errorOf, Message, Receipt, StgError, Texts } from "./values.js";

/** What the WebAssembly exports, once it is there. */
let wasm;

export function attach(exports) {
  wasm = exports;
}

// Clocks and chance.

/** What the time of day is ahead by at once has been slept: the clock of `performance` may stand still meanwhile. */
const SLEPT_MS = 3000;
let slept = 0;
let ahead = Date.now() - performance.now();

export function monotonicMs() {
  const now = performance.now();
  const before = ahead;
  ahead = Date.now() - now;
  if (ahead - before > SLEPT_MS) slept += ahead - before;
  return now + slept;
}

export const unixMs = () => Date.now();
export const random = () => crypto.getRandomValues(new Uint32Array(1))[0];

// Timers.

const timers = new Map();

export function setTimer(timer, milliseconds) {
  const set = setTimeout(() => {
    timers.delete(timer);
    tell(() => wasm.timerDue(timer));
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

/** What is set of an error of a stream's that no other try overcomes, as `connections.rs` knows it by its place, from 1 on. */
const LASTS = ["isTls", "isDenied"];

export function open(connection, transport, host, port) {
  let isOver = false;
  const told = (what) => {
    if (!isOver) tell(what);
  };
  const end = (reason) => {
    if (isOver) return;
    const text = reason == null ? undefined : textOf(reason, true);
    if (text && typeof reason === "object") remember(text, reason);
    tell(() => wasm.closed(connection, text, 1 + LASTS.findIndex((is) => reason?.[is] === true), transport.perhaps));
    isOver = true;
  };
  const events = {
    opened: () => told(() => wasm.opened(connection)),
    received: (bytes) => {
      if (!(bytes instanceof Uint8Array)) throw errorOf("INVALID_ARGUMENT", "a transport receives bytes as Uint8Array", false);
      told(() => wasm.received(connection, bytes));
    },
    drained: () => told(() => wasm.drained(connection)),
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

/** Ends them all at once, after what has been said by now: streams that are full are given it, too. */
export function cutStreams(why) {
  if (!wasm) return;
  tell(() => wasm.writeAll());
  for (const [connection, { end }] of [...streams]) {
    end(new Error(why));
    close(connection);
  }
  runTasks();
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
    // Where the stack was at its end nobody knows what was done by then.
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) throw error;
    fail(error);
    throw trapped;
  }
}

/** The same for what nobody waits for: whoever calls next is told. */
function tell(what) {
  try {
    enter(what);
  } catch (error) {
    if (error !== trapped) throw error;
  }
}

/** Whom to tell when nothing works any more, as long as there is somebody. */
export const failing = new Set();

/** Nothing that waits will ever end. */
function fail(cause) {
  trapped = errorOf("CLOSED", `the client has failed by a fault of its own: ${cause.message}`, false);
  trapped.cause = cause;
  for (const number of [...calls.keys()]) settled(number).reject(trapped);
  for (const hears of failing) hears(trapped.message);
}

const runTasks = () => tell(() => wasm.runTasks());

export const runTasksSoon = () => queueMicrotask(runTasks);

/** The number after `last`, of 32 bits, that nothing under way has: one may wait for as long as it takes all to be used. */
export function unused(last, isUsed) {
  do last = (last + 1) >>> 0; while (isUsed(last));
  return last;
}

/** A promise for what `start`, which gets the call's number, brings about. Aborting withdraws it. It holds the process, unless it may
 * wait for ever and for nothing in particular. */
export async function call(start, signal, holds = true) {
  try {
    return await begin(start, signal, holds);
  } catch (error) {
    if (error instanceof StgError) {
      // Whoever waits is to be seen in it, where engines know them, and not the glue that has brought it. In a turn they do wait.
      await undefined;
      Error.captureStackTrace?.(error, call);
    }
    throw error;
  }
}

function begin(start, signal, holds) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const number = (lastCall = unused(lastCall, (used) => calls.has(used)));
    const release = holds ? platform.hold() : undefined;
    const aborted = () => {
      settled(number);
      reject(signal.reason);
      tell(() => wasm.abort(number));
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

export function heard(signal, aborted) {
  const all = listening.get(signal) ?? listenTo(signal);
  all.add(aborted);
  return () => all.delete(aborted);
}

// A function of its own: the listener would keep what else is in the one that it is made in, the first call with all that it has.
function listenTo(signal) {
  const all = new Set();
  listening.set(signal, all);
  signal.addEventListener("abort", () => all.forEach((each) => each()), { once: true });
  return all;
}

/** What comes of a promise, or is there already; or the reason of a signal that is aborted before. */
export function unlessAborted(given, signal) {
  if (!signal) return given;
  const promise = Promise.resolve(given);
  // Nobody may hear of it then.
  promise.catch(() => {});
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const unheard = heard(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(unheard);
  });
}

function settled(number) {
  const known = calls.get(number);
  calls.delete(number);
  choosers.delete(number);
  known?.forget?.();
  return known;
}

export const resolve = (number, value) => settled(number)?.resolve(value);

export function reject(number, error) {
  const { failure } = choosers.get(number) ?? {};
  settled(number)?.reject(failure ? failure.error : error);
}

// Objects.

/** What transports have said last, by its words: the WebAssembly has these alone. */
const causes = new Map();
const MOST_CAUSES = 16;

function remember(words, cause) {
  causes.delete(words);
  causes.set(words, cause);
  if (causes.size > MOST_CAUSES) causes.delete(causes.keys().next().value);
}

export function failure(code, text, ...rest) {
  const error = errorOf(code, text, ...rest);
  if (error instanceof ConnectionError) {
    const known = [...causes].findLast(([words]) => text.includes(words));
    if (known) error.cause = known[1];
  }
  return error;
}

export function addAttempt(error, address, afterMs, outcome) {
  error.attempts.push({ address, afterMs, outcome });
}

export const receipt = (status, texts, queueId, offset) => new Receipt(status, new Texts(texts), queueId, offset);

export const sent = (number, status, texts, queueId, offset) => resolve(number, receipt(status, texts, queueId, offset));

export const message = (texts, ...rest) => new Message(new Texts(texts), ...rest);

/** A body; what goes wrong in reading it is the body's matter. */
export function decompress(...what) {
  try {
    return platform.decompress(...what);
  } catch (error) {
    return textOf(error);
  }
}

// Handlers.

/** A message was not consumed: whether it leaves its place or its queue rests, for how long, and why. */
export class Verdict {
  constructor(suspends, delay, reason) {
    this.suspends = suspends;
    this.delay = delay;
    this.reason = reason;
  }
}

/** Whatever an application throws: also what has no text, or one that throws in its turn. */
export function textOf(error, isShort) {
  try {
    return String((isShort ? undefined : error?.stack) ?? error?.message ?? error);
  } catch {
    return "what was thrown cannot be made a text of";
  }
}

export function settle(promise, number) {
  const settled = (hasGiven) => (value) => tell(() => wasm.settled(number, hasGiven, value));
  Promise.resolve(promise).then(settled(true), settled(false));
}

/** `handler` is the application's, with what is wrong with a verdict of it, if anything. */
export function handle({ handler, wrongWith }, messages, promise) {
  const ofResult = (result) => {
    if (!(result instanceof Verdict)) return undefined;
    const wrong = wrongWith(result);
    const { suspends, delay, reason } = result;
    // Whatever somebody has made of it: the WebAssembly gets a number and a text.
    return new Verdict(suspends, wrong === undefined && typeof delay === "number" ? delay : undefined, textOf(wrong ?? reason ?? "the handler said so", true));
  };
  const ofFailure = (error) => ofResult(error) ?? new Verdict(false, undefined, textOf(error));
  try {
    const result = handler(messages);
    if (typeof result?.then !== "function") return ofResult(result);
    Promise.resolve(result)
      .then(ofResult, ofFailure)
      .then((said) => tell(() => wasm.settled(promise, true, said)));
    return null;
  } catch (error) {
    return ofFailure(error);
  }
}

export const verdictDelay = (verdict) => verdict.delay;
export const verdictReason = (verdict) => verdict.reason;

// Listeners.

/** The application's listener, if it has one, is waited for; one that fails is told of. */
export function rebalanced({ listener, place }, isAssigned, queues) {
  const failed = (error) => place.warn(`the rebalance listener failed: ${textOf(error)}`);
  const type = isAssigned ? "assigned" : "revoked";
  place.tell?.({ type, queues, message: `${type} to the group ${place.group}: ${queues.length} queues` });
  try {
    const done = listener?.[type]?.(queues);
    if (typeof done?.then === "function") return Promise.resolve(done).catch(failed);
  } catch (error) {
    failed(error);
  }
}

// Functions that choose queues.

/** By the numbers of their calls, which fail with what the function throws. */
const choosers = new Map();
/** No queue has this index. */
const NO_QUEUE = 2 ** 32 - 1;

export const chooses = (number, choose) => void choosers.set(number, { choose });

export function choose(number, queues) {
  const chooser = choosers.get(number);
  try {
    const index = chooser?.choose(queues);
    // It may have aborted its own send.
    return calls.has(number) ? (index ?? NO_QUEUE) : NO_QUEUE;
  } catch (error) {
    chooser.failure = { error };
    return NO_QUEUE;
  }
}

// Stores of offsets.

const asked = async (ask) => {
  try {
    return await ask();
  } catch (error) {
    throw textOf(error, true);
  }
};

export async function loadOffsets(store, key) {
  const text = (await asked(() => store.load(key))) ?? "";
  if (typeof text !== "string") throw "it is no text";
  return text;
}

export const saveOffsets = (store, key, text) => asked(() => store.save(key, text));

export const closeOffsets = (store, key) => void asked(() => store.close?.(key)).catch(() => {});

// Credentials that change.

export const askCredentials = (ask) => ask();

// The log.

export const SEVERITIES = ["error", "warn", "info", "debug"];
const lines = [];

/** Lines are told later: whoever hears of one may use the client, which is in the middle of something. */
export function log({ sink }, severity, message, fields) {
  if (lines.push([sink, { level: SEVERITIES[severity], message, fields }]) === 1) queueMicrotask(giveLines);
}

function giveLines() {
  for (const [sink, line] of lines.splice(0)) {
    try {
      Promise.resolve(sink(line)).catch(() => {});
    } catch {
      // Where should that be logged?
    }
  }
}
