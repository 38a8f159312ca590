// The programs in the pages run, end by themselves, complain of nothing, and print what the page says.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import tls from "node:tls";

import { PAGES, snippets } from "./snippets.mjs";

const installed = dirname(dirname(fileURLToPath(import.meta.resolve("stgclient"))));
const world = new URL("world.mjs", import.meta.url).href;

/** How long a program may take: none waits for more than some hundred ms. */
const PATIENCE = 30_000;

// A user's folder, and their home.
const folder = mkdtempSync(join(tmpdir(), "snippets-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "node_modules"));
symlinkSync(installed, join(folder, "node_modules", "stgclient"));
writeFileSync(join(folder, "ca.pem"), tls.rootCertificates[0]);

/** Runs a program as somebody would who has copied it. */
function run(file, variables) {
  return new Promise((resolve) => {
    const env = { ...process.env, HOME: folder, ...variables };
    const child = spawn(process.execPath, ["--import", world, file], { cwd: folder, env, timeout: PATIENCE, killSignal: "SIGKILL" });
    const ended = { printed: "", complained: "" };
    child.stdout.on("data", (bytes) => (ended.printed += bytes));
    child.stderr.on("data", (bytes) => (ended.complained += bytes));
    child.on("close", (code, signal) => resolve({ code, signal, ...ended }));
  });
}

for (const page of PAGES) {
  const programs = snippets(page).filter(({ language }) => language === "js");
  describe(page, { concurrency: 2 }, () => {
    test("it has programs", () => assert.ok(programs.length > 0));
    for (const { text, place, heading, file, prints } of programs) {
      test(`${place}, ${heading}`, async () => {
        writeFileSync(join(folder, file), text);
        const { code, signal, printed, complained } = await run(file, prints && { STGCLIENT_WORLD_RESTS: "1" });
        assert.deepEqual([code, signal], [0, null], `${printed}${complained}`);
        assert.equal(complained, "");
        if (prints) assert.equal(printed, prints);
      });
    }
  });
}
