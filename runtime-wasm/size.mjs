// How large the package is for a page that loads it, and whether that is more than `sizes.json` beside this permits: then it fails, and
// says what has grown. `node runtime-wasm/size.mjs PACKAGE MODULES BUNDLED [--write]`: the package, the folder of the modules with names
// that its WebAssembly is made of, and the folder of the package's JavaScript, made small.
//
// `--write` keeps today's sizes, to be compared with later.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const kept = new URL("./sizes.json", import.meta.url);
const [packed, modules, bundled, ...options] = process.argv.slice(2);
const before = JSON.parse(readFileSync(kept));

const FILES = {
  "stgclient_bg.wasm": "stgclient_wasm.wasm",
  "stgclient_compression_bg.wasm": "stgclient_wasm_compression.wasm",
  "stgclient_embedded_bg.wasm": "stgclient_wasm_embedded.wasm",
};

function measured(bytes) {
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9, memLevel: 9 }).length, brotli: brotliCompressSync(bytes).length };
}

/** A number of WebAssembly's (LEB128) and where it ends. */
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}

function* sections(bytes) {
  for (let at = 8; at < bytes.length; ) {
    const kind = bytes[at];
    const [length, start] = number(bytes, at + 1);
    yield { kind, start, end: start + length };
    at = start + length;
  }
}

/** The lengths of all functions that a module has, and how many it imports. */
function functions(bytes) {
  let [imported, lengths] = [0, []];
  for (const { kind, start } of sections(bytes)) {
    let [count, at] = number(bytes, start);
    if (kind === 2) {
      for (; count > 0; count--) {
        for (const _ of ["module", "name"]) {
          const [length, next] = number(bytes, at);
          at = next + length;
        }
        // The module that wasm-bindgen has yet to work on imports functions alone.
        if (bytes[at++] !== 0) throw new Error("it imports what is no function");
        [, at] = number(bytes, at);
        imported++;
      }
    } else if (kind === 10) {
      for (; count > 0; count--) {
        const [length, next] = number(bytes, at);
        lengths.push(length);
        at = next + length;
      }
    }
  }
  return { imported, lengths };
}

function names(bytes) {
  const found = new Map();
  const text = (start, length) => Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString();
  for (const { kind, start, end } of sections(bytes)) {
    if (kind !== 0) continue;
    let [length, at] = number(bytes, start);
    if (text(at, length) !== "name") continue;
    at += length;
    while (at < end) {
      const part = bytes[at];
      const [size, next] = number(bytes, at + 1);
      at = next;
      if (part === 1) {
        let [count, each] = number(bytes, at);
        for (; count > 0; count--) {
          let index;
          [index, each] = number(bytes, each);
          [length, each] = number(bytes, each);
          found.set(index, text(each, length));
          each += length;
        }
      }
      at += size;
    }
  }
  return found;
}

/** Which part of which crate a function is of: the first path in its mangled name, two names of it. */
function part(name) {
  const path = /C(?:s[0-9A-Za-z]*_)?(\d+)(.*)/.exec(name);
  if (!path || !name.startsWith("_R")) return "exported";
  const crate = path[2].replace(/^_/, "").slice(0, Number(path[1]));
  const module = /^(\d+)(.*)/.exec(path[2].replace(/^_/, "").slice(crate.length));
  return module ? `${crate}::${module[2].replace(/^_/, "").slice(0, Number(module[1]))}` : crate;
}

/** Bytes of code by part, of what is not only there to be read by wasm-bindgen. */
function parts(bytes) {
  const { imported, lengths } = functions(bytes);
  const all = names(bytes);
  const sums = {};
  lengths.forEach((length, index) => {
    const name = all.get(imported + index) ?? "";
    if (name.includes("describe") || name.includes("WasmDescribe")) return;
    sums[part(name)] = (sums[part(name)] ?? 0) + length;
  });
  return sums;
}

const now = { limits: before.limits, sizes: {}, parts: {} };
let failed = false;
function judge(name, bytes, source) {
  const size = measured(bytes);
  now.sizes[name] = size;
  const limit = before.limits[name];
  const over = Object.keys(limit).filter((kind) => size[kind] > limit[kind]);
  console.log(`${name}: ${size.raw} bytes, ${size.gzip} gzip, ${size.brotli} brotli (at most ${JSON.stringify(limit)})`);
  if (source) {
    now.parts[name] = Object.fromEntries(
      Object.entries(parts(readFileSync(join(modules, source))))
        .filter(([, length]) => length >= 1000)
        .sort(),
    );
  }
  if (over.length === 0) return;
  failed = true;
  console.error(`${name} is larger than sizes.json permits: ${over.join(" and ")}. What has grown, in bytes of code before compression:`);
  const [were, are] = [before.parts[name] ?? {}, now.parts[name] ?? {}];
  const grown = Object.keys({ ...were, ...are }).map((key) => [(are[key] ?? 0) - (were[key] ?? 0), key]);
  for (const [by, key] of grown.filter(([by]) => by > 0).sort(([one], [other]) => other - one).slice(0, 15)) {
    console.error(`  ${String(by).padStart(7)}  ${key}`);
  }
}

for (const [file, source] of Object.entries(FILES)) judge(file, readFileSync(join(packed, "dist", file)), source);
// All that is loaded, also what several files have in common; what reads LZ4 and zstd comes later.
const scripts = readdirSync(bundled).filter((name) => name.endsWith(".js") && !name.startsWith("stgclient_compression"));
judge("JavaScript", Buffer.concat(scripts.map((name) => readFileSync(join(bundled, name)))));

if (options.includes("--write")) writeFileSync(kept, `${JSON.stringify(now, undefined, 1)}\n`);
else process.exitCode = failed ? 1 : 0;
