// What the package exports, wherever it runs.

export { Verdict } from "./bridge.js";
export { Client, connect } from "./client.js";
export { Consumer, ConsumerStream, reconsumeLater, suspend } from "./consumer.js";
export { ClientEvent } from "./events.js";
export { Producer } from "./producer.js";
export { PullConsumer } from "./pull.js";
export { Admin } from "./admin.js";
export {
  AccessDeniedError,
  ClosedError,
  ConnectionError,
  FullError,
  InvalidArgumentError,
  Message,
  NotFoundError,
  ProtocolError,
  Receipt,
  RefusedError,
  StgError,
  TimeoutError,
} from "./values.js";
