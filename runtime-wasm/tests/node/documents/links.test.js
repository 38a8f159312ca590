// The links in the pages lead to headings and files that are there.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { PAGES } from "./snippets.mjs";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** What a heading is as an anchor. */
const anchor = (heading) => heading.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-");

for (const page of [...PAGES, ...["node", "web"].map((name) => join(root, "examples", name, "README.md"))]) {
  test(`${relative(root, page)}: its links lead somewhere`, () => {
    const text = readFileSync(page, "utf8").replaceAll(/^```.*?^```$/gms, "");
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => `#${anchor(heading)}`);
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter((link) => !/^\w+:/.test(link));
    assert.ok(links.length > 0);
    const leadsSomewhere = (link) => (link.startsWith("#") ? anchors.includes(link) : existsSync(join(dirname(page), link)));
    assert.deepEqual(links.filter((link) => !leadsSomewhere(link)), []);
  });
}
