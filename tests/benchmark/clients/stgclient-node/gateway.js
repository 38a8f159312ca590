// The project's gateway before the servers that this process is told of, until it ends.
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { createInterface } = require('node:readline');

const TOKEN = 'a-token-for-measuring';

// Where it is, and the token that it wants: what comes from no page needs one.
async function startGateway(nameServer) {
  const folder = mkdtempSync(join(tmpdir(), 'stgclient-benchmark-'));
  const [config, token] = ['gateway.toml', 'token'].map(name => join(folder, name));
  writeFileSync(token, TOKEN);
  writeFileSync(config, `
listen = "127.0.0.1:0"
[cluster]
name_servers = ["${nameServer}"]
networks = ["loopback"]
[[tokens]]
name = "benchmark"
token_file = "${token}"
`);
  const program = join(__dirname, 'stgclient-gateway');
  const gateway = spawn(program, ['--config', config, '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => {
    gateway.kill();
    rmSync(folder, { recursive: true });
  });
  const [line] = await once(createInterface({ input: gateway.stdout }), 'line');
  gateway.stdout.unref();
  gateway.unref();
  return { url: line.split(/\s+/)[1], token: TOKEN };
}

module.exports = { startGateway };
