// Apache's servers of a test's own, which it may stop and start: tests/servers/on-demand.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../../tests/servers", import.meta.url));

/** A name server and a broker of this version until the end of the test. `order` does what on-demand knows: "stop broker",
 * "start broker". */
export async function servers(t, version) {
  const env = { ...process.env, ...(version && { STGCLIENT_ROCKETMQ: version }) };
  const made = spawn(`${folder}/with-cluster`, [`${folder}/on-demand`], { env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => made.on("close", resolve));
  // Ended by its input, it stops the servers.
  t.after(() => (made.stdin.end(), ended));
  const lines = createInterface({ input: made.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the servers have ended");
    return value;
  };
  const [nameServer, broker] = (await answer()).split(" ");
  const order = async (words) => {
    made.stdin.write(`${words}\n`);
    const said = await answer();
    if (said !== "done") throw new Error(`${words}: ${said}`);
  };
  return { nameServer, broker, order };
}
