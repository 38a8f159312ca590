// What runs in a process, and how it stops without losing anything.

import { startBilling } from "./billing.js";
import { serve } from "./shop.js";

/**
 * Starts roles, `"shop"` and `"billing"`, on a client, which is the service's from now on. What is in hand when it stops has `within` ms.
 */
export async function start(client, { roles, port, within, price, log = console }) {
  const unknown = roles.find((role) => role !== "shop" && role !== "billing");
  if (unknown) throw new RangeError(`there is no role ${unknown}; there are shop and billing`);
  const producer = client.producer("orders");
  const consumer = roles.includes("billing") ? await startBilling(client, producer, price) : undefined;
  const server = roles.includes("shop") ? await serve(client, producer, port, log) : undefined;
  return {
    consumer,
    port: server?.address().port,
    /** Takes nothing new, finishes what is in hand, and ends with what could not be finished in time: it comes again. */
    async stop() {
      const [unfinished = []] = await Promise.all([consumer?.close({ within }), server && close(server, within)]);
      // Last, since requests and handlers in hand send.
      await producer.close();
      await client.close();
      return unfinished;
    },
  };
}

/** Takes no new requests, and ends when those in hand are answered, or cut off after `within` ms. */
async function close(server, within) {
  const late = setTimeout(() => server.closeAllConnections(), within);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(late);
}
