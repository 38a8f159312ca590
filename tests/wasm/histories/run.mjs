// Compares what happens in histories natively and in WebAssembly: `histories COUNT | node run.mjs MODULE`. Reports as cargo does.

import { readFileSync } from "node:fs";

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
let passed = 0;
let failed = 0;

function test(name, wrong) {
  if (wrong.length === 0) passed++;
  else failed++;
  console.log(`test ${name} ... ${wrong.length === 0 ? "ok" : `FAILED\n${wrong.join("\n")}`}`);
}

const lines = readFileSync(0, "utf8")
  .split("\n")
  .map((line) => /(senders|consumers) (\d+) (\d+)$/.exec(line))
  .filter(Boolean);
for (const kind of ["senders", "consumers"]) {
  const wrong = [];
  const ours = lines.filter(([, known]) => known === kind);
  for (const [, , seed, native] of ours) {
    // A fresh instance for each: its memory is not given back.
    const { trace } = new WebAssembly.Instance(module).exports;
    let number;
    try {
      number = BigInt.asUintN(64, trace(kind === "consumers", BigInt(seed)));
    } catch (error) {
      number = error.message;
    }
    if (number !== BigInt(native)) wrong.push(`  seed ${seed}: natively ${native}, here ${number}`);
  }
  if (new Set(ours.map(([, , , number]) => number)).size < ours.length) wrong.push("  some of them are the same as others");
  if (ours.length < 60) wrong.push(`  only ${ours.length} histories were told`);
  test(`${ours.length} histories of ${kind} are the same in WebAssembly`, wrong);
}

console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; 0 ignored`);
process.exitCode = failed === 0 ? 0 : 1;
