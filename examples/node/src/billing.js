// The consumer service: bills orders, and sends each bill as a message.

import { reconsumeLater } from "stgclient";

import { priceOf, readOrder } from "./order.js";

/** How often billing an order is tried. Then it is a dead letter, in the topic `%DLQ%billing`. */
export const TRIES = 5;

/**
 * Bills an order. Messages may come more than once, and so may bills: they have the order's id, by which who gets them tells them apart.
 */
export async function bill(producer, order, price = priceOf) {
  const body = JSON.stringify({ order: order.id, customer: order.customer, cents: await price(order) });
  await producer.send({ topic: "bills", tag: "sent", keys: order.id, body }, { orderKey: order.customer });
}

/** Handles a message: gives nothing when it is consumed, and otherwise says when it comes again. */
export async function handle(producer, message, price = priceOf) {
  let order;
  try {
    order = readOrder(message.json());
  } catch (error) {
    // It will never become one, so trying again is no use: a dead letter at once.
    return reconsumeLater("never", `no order: ${error.message}`);
  }
  try {
    await bill(producer, order, price);
  } catch (error) {
    // After 1, 5, 10 s and so on. Thrown on, it would come again after 10 s.
    return reconsumeLater(message.reconsumeTimes + 1, `order ${order.id} is not billed: ${error.message}`);
  }
}

/** Starts billing. Ends when the consumer is started. */
export function startBilling(client, producer, price = priceOf) {
  return client.consumer(
    "billing",
    { topic: "orders", tags: "placed", from: "first", maxInWork: 16, maxReconsumeTimes: TRIES - 1 },
    (message) => handle(producer, message, price),
  );
}
