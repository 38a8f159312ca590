// Runs core's vectors in WebAssembly and reports as cargo does: `node run.mjs MODULE FOLDER_OF_VECTORS`.
// The module is loaded as it is, with no generated JavaScript.

import { readFileSync } from "node:fs";
import { join } from "node:path";

// In the order of the numbers in vectors.rs, with how many lines are checked of each: as in core/tests/vectors.rs.
const files = [
  ["acl", 19],
  ["allocate", 861],
  ["bodies", 13],
  ["filter", 42],
  ["ids", 121],
  ["messages", 38],
  ["props", 17],
  ["remoting", 206],
  ["util", 275],
  ["lenient", 174],
];

const [modulePath, folder] = process.argv.slice(2);
const module = await WebAssembly.compile(readFileSync(modulePath));
let passed = 0;
let failed = 0;

function test(name, body) {
  try {
    body();
    passed += 1;
    console.log(`test ${name} ... ok`);
  } catch (error) {
    failed += 1;
    console.log(`test ${name} ... FAILED\n${error.stack}`);
  }
}

// Core asks nothing of its host: no clock, no chance, no output.
test("imports nothing", () => {
  const imports = WebAssembly.Module.imports(module).map(({ module, name }) => `${module}.${name}`);
  if (imports.length > 0) throw new Error(`the module imports ${imports.join(", ")}`);
});

for (const [number, [name, expected]] of files.entries()) {
  test(`vectors in wasm32: ${name}`, () => {
    const lines = check(number, readFileSync(join(folder, `${name}.jsonl`)));
    if (lines !== expected) throw new Error(`${lines} lines were checked, not ${expected}`);
  });
}

// A fresh instance for each file, since one that has trapped must not be used again.
function check(number, text) {
  const { memory, run_vectors } = new WebAssembly.Instance(module).exports;
  const page = 65536;
  const start = memory.grow(Math.ceil(text.length / page)) * page;
  new Uint8Array(memory.buffer, start, text.length).set(text);
  const lines = Number(run_vectors(number, start, text.length));
  if (lines >= 0) return lines;
  throw new Error(Buffer.from(memory.buffer, start, -lines).toString());
}

const verdict = failed === 0 ? "ok" : "FAILED";
console.log(`test result: ${verdict}. ${passed} passed; ${failed} failed; 0 ignored`);
process.exitCode = failed === 0 ? 0 : 1;
