// The package's build says how large it is for a page. Whether it fails where that is too much.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const dist = join(realpathSync(fileURLToPath(new URL(".", import.meta.resolve("stgclient")))));
const folder = join(dist, "../..");
const size = fileURLToPath(new URL("../../../size.mjs", import.meta.url));

/** What the build does of a package that a change has been made of: whether it permits its size. */
function isPermitted(t, change) {
  const place = mkdtempSync("/tmp/sizes-");
  t.after(() => rmSync(place, { recursive: true }));
  cpSync(join(dist, ".."), place, { recursive: true });
  change(join(place, "dist"));
  const [bundled, esbuild] = [join(place, "bundled"), join(folder, "tools/node_modules/.bin/esbuild")];
  const how = ["--bundle", "--splitting", "--minify", "--format=esm", "--log-level=error", `--outdir=${bundled}`];
  const made = spawnSync(esbuild, [join(place, "dist/browser.js"), ...how], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  const modules = join(folder, "wasm/wasm32-unknown-unknown/wasm");
  const { status, stdout, stderr } = spawnSync(process.execPath, [size, place, modules, bundled], { encoding: "utf8" });
  t.diagnostic(stdout + stderr);
  return status === 0;
}

/** A file that is large, also when it is compressed. */
const BALLAST = `export const ballast = [${Array.from({ length: 6000 }, (_, at) => Math.sin(at))}];\n`;

test("the build fails when a page loads more JavaScript than sizes.json permits, in one file", (t) => {
  const change = (dist) => {
    writeFileSync(join(dist, "ballast.js"), BALLAST);
    const page = join(dist, "browser.js");
    writeFileSync(page, `import { ballast } from "./ballast.js";\nglobalThis.ballast = ballast;\n${readFileSync(page)}`);
  };
  assert.ok(!isPermitted(t, change));
});

test("the build fails when a page loads more JavaScript than sizes.json permits, also where a part that is loaded later needs it too", (t) => {
  const change = (dist) => {
    writeFileSync(join(dist, "ballast.js"), BALLAST);
    const [page, later] = [join(dist, "browser.js"), join(dist, "stgclient_compression.js")];
    for (const file of [page, later]) {
      writeFileSync(file, `import { ballast } from "./ballast.js";\nglobalThis.ballast = ballast;\n${readFileSync(file)}`);
    }
  };
  assert.ok(!isPermitted(t, change));
});
