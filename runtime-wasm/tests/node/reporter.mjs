// Reports as cargo does, so that tests/run counts these tests like all others.

import { relative } from "node:path";

export default async function* report(source) {
  let [passed, failed, skipped] = [0, 0, 0];
  for await (const { type, data } of source) {
    // What a test has measured; the rest is what Node says at the end of each file.
    if (type === "test:diagnostic" && !/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(data.message)) {
      yield `  | ${data.message}\n`;
    }
    if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite") continue;
    const name = `${relative(import.meta.dirname, data.file ?? "")}: ${data.name}`;
    if (data.skip !== undefined) {
      skipped += 1;
      yield `test ${name} ... ignored\n`;
    } else if (type === "test:pass") {
      passed += 1;
      yield `test ${name} ... ok\n`;
    } else {
      failed += 1;
      const error = data.details?.error;
      yield `test ${name} ... FAILED\n${error?.cause?.stack ?? error?.stack ?? error}\n`;
    }
  }
  yield `test result: ${failed ? "FAILED" : "ok"}. ${passed} passed; ${failed} failed; ${skipped} ignored\n`;
}
