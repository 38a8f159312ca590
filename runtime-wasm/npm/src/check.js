// What applications give, looked at before it goes on: wrong types and ranges fail here, in words that say what to write instead.

import { invalid } from "./values.js";

/** A value in words. */
export const shown = (value) => {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof Date && Number.isNaN(value.getTime())) return "an invalid Date";
  if (Array.isArray(value)) return "an array";
  const name = value.constructor?.name ?? "value";
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
};

const wrong = (name, wanted, value) => invalid(`${name} is ${shown(value)}; it has to be ${wanted}`);

export function text(name, value) {
  if (typeof value !== "string") throw wrong(name, "a string", value);
  return value;
}

export function flag(name, value) {
  if (typeof value !== "boolean") throw wrong(name, "true or false", value);
  return value;
}

export function whole(name, value, least, most) {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw wrong(name, `a whole number from ${least} to ${most}`, value);
  }
  return value;
}

/** A time in ms, at the most some 24 days, which is what timers can wait. */
export function time(name, value, least = 0) {
  if (typeof value !== "number" || !(value >= least && value <= 2_147_483_647)) {
    throw wrong(name, `a time in milliseconds from ${least} to 2147483647`, value);
  }
  return value;
}

export const positiveTime = (name, value) => time(name, value, 1);

export const count = (name, value) => whole(name, value, 1, 2 ** 31 - 1);

export function offset(name, value) {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value !== "bigint" || value < 0n || value >= 1n << 63n) throw wrong(name, "an offset, such as 42n", value);
  return value;
}

export function func(name, value) {
  if (typeof value !== "function") throw wrong(name, "a function", value);
  return value;
}

export function oneOf(name, value, ...known) {
  if (!known.includes(value)) throw wrong(name, known.map(shown).join(" or "), value);
  return value;
}

/** A moment, in ms since 1970 UTC. */
export function moment(name, value) {
  const ms = value instanceof Date ? value.getTime() : value;
  if (typeof ms !== "number" || !(ms >= 0 && ms <= 8.64e15)) throw wrong(name, "a Date, or milliseconds since 1970 UTC", value);
  return ms;
}

export function object(name, value) {
  // A Map has no properties of its own, and would count as an empty object.
  if (value === null || typeof value !== "object" || Symbol.iterator in value) throw wrong(name, "an object", value);
  return value;
}

/** Options by name: each is looked at, and given on, by the function of its name; one that nobody knows is a mistake. */
export function options(what, given, known) {
  object(what, given);
  for (const [name, value] of Object.entries(given)) {
    const take = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!take) throw invalid(`${what} have no ${JSON.stringify(name)}; there are ${Object.keys(known).join(", ")}`);
    if (value !== undefined) take(value);
  }
}

/** An object of these fields alone. */
export function fields(what, given, ...names) {
  object(what, given);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(`${what} have no ${JSON.stringify(unknown)}; there are ${names.join(", ")}`);
  return given;
}

/** Options that are numbers, by how each is looked at: what has been is set by its name. */
export const numbers = (setup, looks) =>
  Object.fromEntries(Object.entries(looks).map(([name, look]) => [name, (value) => setup.set(name, look(name, value))]));

const encoder = new TextEncoder();

/** More than any client reads is not even copied. */
const MOST_BODY = 64 << 20;

function short(bytes) {
  if (bytes.length > MOST_BODY) throw invalid(`the body is ${bytes.length} bytes long; there are ${MOST_BODY} at the most`);
  return bytes;
}

/** A body: a text, bytes, or what JSON makes of it is the application's matter. */
export function body(value) {
  if (typeof value === "string") return short(encoder.encode(value));
  if (value instanceof Uint8Array) return short(value);
  if (value instanceof ArrayBuffer) return short(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return short(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  throw wrong("the body", "a string or bytes (Uint8Array, Buffer, ArrayBuffer)", value);
}

export function queue(value) {
  const { topic, brokerName, queueId } = object("the queue", value);
  text("the queue's topic", topic);
  text("the queue's brokerName", brokerName);
  whole("the queue's queueId", queueId, 0, 2_147_483_647);
  return value;
}

/** The options of what only waits: a signal. */
export const waiting = (given = {}) => signal(fields("the options", given, "signal").signal);

export function signal(value) {
  if (value === undefined) return undefined;
  if (!(value instanceof AbortSignal)) throw wrong("the signal", "an AbortSignal", value);
  return value;
}
