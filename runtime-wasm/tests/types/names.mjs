// Compares the names that the package exports with those in its types. Run by `check`, beside `node_modules`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import ts from "typescript";

const folder = new URL("./node_modules/stgclient/dist/", import.meta.url);
const files = ["index.d.ts", "embedded.d.ts"].map((name) => new URL(name, folder).pathname);
const options = { strict: true, target: ts.ScriptTarget.ESNext, lib: ["lib.esnext.d.ts", "lib.dom.d.ts"], types: [] };
const program = ts.createProgram(files, options);
const checker = program.getTypeChecker();
const exportsOf = (file) => checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
const isValue = ({ flags }) => flags & ts.SymbolFlags.Value;
const named = (file) => exportsOf(file).filter(isValue).map(({ name }) => name).sort();

const [main, embedded] = [await import("stgclient"), await import("stgclient/embedded")];
assert.deepEqual(Object.keys(main).sort(), named(files[0]), "what Node exports, and what the types name");
const shared = Object.keys(await import(new URL("index.js", folder)));
assert.deepEqual([...shared, "init"].sort(), named(files[0]), "what index.js exports, and what the types name");
assert.match(readFileSync(new URL("browser.js", folder), "utf8"), /^export async function init\(/m, "pages have `init`, too");
assert.deepEqual(Object.keys(embedded).sort(), named(files[1]), "what embedded.js exports, and what its types name");

// Methods and getters as well. What a class inherits from elsewhere is not its matter.
const nameOf = ({ escapedName }) => String(escapedName).replace(/^__@(\w+)@.*$/, "[$1]");
for (const symbol of files.flatMap(exportsOf).filter(({ flags }) => flags & ts.SymbolFlags.Class)) {
  const members = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol));
  const ours = members.filter((member) => member.declarations?.some((one) => files.includes(one.getSourceFile().fileName)));
  const { prototype } = { ...main, ...embedded }[symbol.name];
  const inCode = Reflect.ownKeys(prototype)
    .filter((name) => name !== "constructor" && name !== "name")
    .map((name) => (typeof name === "symbol" ? `[${/\w+$/.exec(name.description)[0]}]` : name));
  const inTypes = ours.map(nameOf);
  assert.deepEqual(inCode.filter((name) => !inTypes.includes(name)), [], `what the types of ${symbol.name} lack`);
  const methods = ours.filter(({ flags }) => flags & ts.SymbolFlags.Method).map(nameOf);
  assert.deepEqual(methods.filter((name) => !inCode.includes(name)), [], `methods of ${symbol.name} that are only in the types`);
}
