// Members of a group, each a process: ours, and Java's (tests/java). Each prints a line of JSON when it has started and one for each
// message that it is given, and ends when its standard input does.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { eventually, isSettled, nameServers } from "./bench.js";
import { child } from "./children.js";

const OURS = `
  const client = await connect(nameServers);
  const print = (line) => console.log(JSON.stringify(line));
  await client.consumer(group, { topic, from: "first", orderly }, (message) => {
    const { queue, queueOffset } = message;
    print({ queueId: queue.queueId, queueOffset: Number(queueOffset), bodyHex: Buffer.from(message.bytes()).toString("hex") });
  });
  print({ clientId: client.clientId });
  process.stdin.resume().on("end", () => client.close());
`;

/** Starts members of a group that consume a topic; `told` is called with the member's number and each message. */
export class Members {
  #joined = 0;

  constructor(t, topic, group, { orderly = false }, told) {
    Object.assign(this, { t, topic, group, orderly, told });
  }

  joinOurs() {
    const { topic, group, orderly } = this;
    return this.#join(child(this.t, OURS, { topic, group, orderly }).process);
  }

  joinJavas() {
    const java = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", process.env.STGCLIENT_JAVA_CLASSPATH, "Crossing"];
    const words = ["consume", nameServers, this.topic, this.group, "0", ...(this.orderly ? ["--orderly"] : [])];
    const made = spawn("java", [...java, ...words], { stdio: ["pipe", "pipe", "inherit"] });
    this.t.after(() => made.kill("SIGKILL"));
    return this.#join(made);
  }

  async #join(made) {
    const number = this.#joined++;
    const ended = new Promise((resolve) => made.on("close", (code, signal) => resolve(signal ?? code)));
    const started = new Promise((resolve) => {
      createInterface({ input: made.stdout }).on("line", (text) => {
        // The last line of one that is killed may be cut.
        if (!text.endsWith("}")) return;
        const { clientId, queueId, queueOffset, bodyHex } = JSON.parse(text);
        if (clientId) resolve();
        else this.told({ member: number, queueId, queueOffset, body: Buffer.from(bodyHex, "hex").toString() });
      });
    });
    await eventually("the member starts", () => isSettled(started));
    return {
      number,
      kill: () => (made.kill("SIGKILL"), ended),
      end: () => (made.stdin.end(), ended),
    };
  }
}
