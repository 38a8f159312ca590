// The programs in the pages: each block of `js` or `ts`, with its heading, its place, what it is called as a file, and what it prints, if a
// block of `text` says so right behind it.
//
//   node snippets.mjs FOLDER      writes them all there

import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** The pages that show JavaScript. */
export const PAGES = ["README.md", "runtime-wasm/npm/README.md"].map((page) => root + page);

/** All programs of a page: `{ language, text, heading, place, file, prints }`. */
export function snippets(page) {
  const found = [];
  let heading = "";
  let block;
  // The program that the next block may be about.
  let last;
  for (const [at, line] of readFileSync(page, "utf8").split("\n").entries()) {
    if (block && line !== "```") {
      block.text += `${line}\n`;
    } else if (block) {
      if (block.language === "text" && last) last.prints = block.text;
      last = block.language === "js" || block.language === "ts" ? block : undefined;
      if (last) found.push(last);
      block = undefined;
    } else if (line.startsWith("```")) {
      const place = `${relative(root, page)}:${at + 1}`;
      const language = line.slice(3);
      const file = `${place.replaceAll(/[/.:]/g, "-")}.${language === "ts" ? "ts" : "mjs"}`;
      block = { language, text: "", heading, place, file, prints: undefined };
    } else if (line !== "") {
      last = undefined;
      if (line.startsWith("#")) heading = line.replace(/^#+ /, "");
    }
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { file, text } of PAGES.flatMap(snippets)) writeFileSync(join(process.argv[2], file), text);
}
