// How pages reach the cluster: the gateway that the environment names, or one of the tests' own.

import { gateway } from "../../node/support/gateway.js";

/** Where pages connect to until the end of the test. */
export async function tunnelUrl(t) {
  return process.env.STGCLIENT_GATEWAY ?? (await gateway(t)).url;
}
