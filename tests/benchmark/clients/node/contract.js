// What every client is told, says on standard output, and waits for.
'use strict';

const fs = require('node:fs');

const given = {};
for (let i = 3; i + 1 < process.argv.length; i += 2) given[process.argv[i].slice(2)] = process.argv[i + 1];
const number = (name, otherwise) => Number(given[name] ?? otherwise);

const say = word => fs.writeSync(1, `${word}\n`);

// Blocks, as nothing that matters is under way meanwhile.
function sayAndWait(word) {
  say(word);
  const byte = Buffer.alloc(1);
  while (fs.readSync(0, byte) === 1 && byte[0] !== 10);
}

// What came of a phase of so many messages.
function newPhase(count) {
  return { latencies: new Uint32Array(count), failed: 0, firstFailure: null }; // nanoseconds by ticket; 0 is none
}

function succeeded(phase, ticket, started) {
  phase.latencies[ticket] = Math.max(1, (performance.now() - started) * 1e6);
}

function failed(phase, error) {
  phase.failed++;
  phase.firstFailure ??= String(error);
}

const successes = phase => phase.latencies.reduce((count, ns) => count + (ns > 0), 0);

// The last line; `before` is what succeeded before this phase.
function print(phase, seconds, before) {
  const sorted = phase.latencies.filter(ns => ns > 0).sort();
  const percentile = percent => (sorted[Math.floor(sorted.length * percent / 100)] ?? 0) / 1000;
  say(JSON.stringify({
    succeeded: sorted.length,
    failed: phase.failed,
    first_failure: phase.firstFailure,
    seconds,
    p50_us: percentile(50),
    p99_us: percentile(99),
    total: before + sorted.length,
  }));
}

module.exports = { given, number, say, sayAndWait, newPhase, succeeded, failed, successes, print };
