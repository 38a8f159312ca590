// What an order is and what it costs: business alone, nothing of messages.

const PRICES = new Map([
  ["tea", 250],
  ["coffee", 320],
]);

/** Reads an order from what JSON gave. Throws TypeError, which says what is wrong with it. */
export function readOrder(value) {
  for (const field of ["id", "customer", "goods"]) {
    if (typeof value?.[field] !== "string" || value[field] === "") throw new TypeError(`an order needs a text as ${field}`);
  }
  // It becomes a message's key, which has no spaces.
  if (/\s/.test(value.id)) throw new TypeError("an order's id has no spaces");
  const { id, customer, goods } = value;
  return { id, customer, goods };
}

/** What an order costs, in cents. Throws RangeError, if nobody has said so yet. */
export function priceOf({ goods }) {
  const cents = PRICES.get(goods);
  if (cents === undefined) throw new RangeError(`${goods} has no price`);
  return cents;
}
