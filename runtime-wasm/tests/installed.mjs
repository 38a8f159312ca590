// The package in the folder where a user has installed it, both ways that Node knows.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const require = createRequire(pathToFileURL(join(process.argv[2], "user.js")));
for (const name of ["stgclient", "stgclient/embedded"]) {
  const required = require(name);
  const imported = await import(pathToFileURL(require.resolve(name)));
  assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort(), name);
}
const { connect } = require("stgclient");
const { cluster } = require("stgclient/embedded");
const client = await connect(cluster());
assert.equal(client.state, "connected");
await client.close();
