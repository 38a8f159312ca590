// What happens to a client, as an EventTarget.

import { call } from "./bridge.js";

/** One of: connected, disconnected, unreachable, nameserverlost, routechanged, warning, assigned, revoked, missed. */
export class ClientEvent extends Event {
  constructor({ type, ...details }) {
    super(type);
    Object.assign(this, details);
  }
}

export function events(inner) {
  const target = new EventTarget();
  const follow = async () => {
    for (;;) {
      const told = await call((number) => inner.next(number), undefined, false);
      if (told === undefined) return;
      target.dispatchEvent(new ClientEvent(told));
    }
  };
  // It ends with the client.
  follow().catch(() => {});
  return target;
}
