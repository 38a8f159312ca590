// Offsets of broadcasting consumers in files, where the Rust client and Java's have them: FOLDER/INSTANCE/GROUP/offsets.json.

import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

import { saysOffsets } from "./wasm.js";

/** A lock is one as long as its file was written within this time: whoever holds it writes it more often. */
const HELD_MS = 30_000;
const AGAIN_MS = 10_000;

export class Files {
  #root;
  /** What is held, by key: what gives it back, and what is being written. */
  #held = new Map();

  constructor(root) {
    this.#root = root && resolve(root);
  }

  #folder(key) {
    const names = key.split("/");
    if (names.length !== 2 || names.some((name) => /^\.{0,2}$|[\\\0]/.test(name))) {
      throw new Error("instance and group are no names of folders");
    }
    // Only now: not everybody has a home.
    return join(this.#root ?? join(homedir(), ".rocketmq_offsets"), ...names);
  }

  /** All at once, so that nobody gives the lock back before it is taken. */
  load(key) {
    const folder = this.#folder(key);
    mkdirSync(folder, { recursive: true });
    const release = lock(join(folder, "lock.node"));
    try {
      const text = read(join(folder, "offsets.json"));
      this.#held.set(key, { release });
      return text;
    } catch (error) {
      release();
      throw error;
    }
  }

  save(key, text) {
    const writing = replace(this.#folder(key), text);
    const held = this.#held.get(key);
    if (held) held.writing = writing.catch(() => {});
    return writing;
  }

  /** What is being written has its end first. */
  async close(key) {
    const held = this.#held.get(key);
    this.#held.delete(key);
    await held?.writing;
    held?.release();
  }
}

/** What a file says. Java's client writes the old offsets beside the new ones, and reads them if these cannot be. */
function read(path) {
  let damage;
  for (const name of [path, `${path}.bak`]) {
    try {
      const text = readFileSync(name, "utf8");
      const says = saysOffsets(text);
      if (says) return text;
      if (says === undefined) damage ??= new Error("it has no offsets");
    } catch (error) {
      if (error.code !== "ENOENT") damage ??= error;
    }
  }
  if (damage) throw new Error(`cannot read ${path}: ${damage.message}`);
  return undefined;
}

/** The file is replaced as a whole: a crash leaves the old offsets or the new ones. */
async function replace(folder, text) {
  // Somebody may have removed it.
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "offsets.json");
  const file = await open(`${path}.new`, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** Takes a lock, which is a file with the number of the process and a name of our own; gives what gives it back. Node has no locks that
 * end with a process. */
function lock(path) {
  const ours = `${process.pid} ${randomUUID()}`;
  const isOurs = () => readFileSync(path, "utf8") === ours;
  try {
    writeFileSync(path, ours, { flag: "wx" });
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (isHeld(path)) throw new Error(`another consumer uses ${path}; give each client an \`instance\` of its own`);
    writeFileSync(path, ours);
  }
  const again = setInterval(() => {
    try {
      // A process that has stood still may find that another has taken it.
      if (isOurs()) writeFileSync(path, ours);
    } catch {
      // What cannot be written is said of the offsets.
    }
  }, AGAIN_MS).unref();
  return () => {
    clearInterval(again);
    try {
      if (isOurs()) rmSync(path);
    } catch {
      // It is gone.
    }
  };
}

function isHeld(path) {
  try {
    const { mtimeMs } = statSync(path);
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    if (Date.now() - mtimeMs > HELD_MS) return false;
    // In containers one process after the other has the same number.
    if (pid === process.pid) return mtimeMs > Date.now() - process.uptime() * 1000;
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process; otherwise there is none, or the file has just gone.
    return error.code === "EPERM";
  }
}
