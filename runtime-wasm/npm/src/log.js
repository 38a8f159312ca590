// The log of a client: what happens to it, in lines, for whoever looks for a reason.

import { log, SEVERITIES } from "./bridge.js";
import * as check from "./check.js";

const toConsole = ({ level, message, fields }) => console[level](`stgclient: ${message}`, fields);

/** What is wanted of a log: where lines go, and of how many severities. */
export function readLog(wanted = "off") {
  const { level, sink = toConsole } =
    typeof wanted === "string" ? { level: wanted } : check.fields("the options of a log", wanted, "level", "sink");
  check.oneOf("the level of the log", level, "off", ...SEVERITIES);
  return { sink: check.func("the sink", sink), severities: SEVERITIES.indexOf(level) + 1 };
}

/** A warning of ours. */
export function logWarning(to, message) {
  if (to.severities > 1) log(to, 1, message, {});
}
