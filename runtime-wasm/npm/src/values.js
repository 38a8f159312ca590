// Errors, messages and receipts.

/** Whatever fails, fails with one of these. */
export class StgError extends Error {
  constructor(code, message, retryable, number, remark, broker, address) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.responseCode = number;
    this.remark = remark;
    this.broker = broker;
    this.address = address;
    this.attempts = [];
  }
}

/** An argument or option is wrong. */
export class InvalidArgumentError extends StgError {}
/** There is no room for more. */
export class FullError extends StgError {}
/** The client, producer or consumer is closed. */
export class ClosedError extends StgError {}
/** Nobody answered in time. */
export class TimeoutError extends StgError {}
/** No connection could be made, or it ended. */
export class ConnectionError extends StgError {}
/** A topic, group, broker or queue is not there. */
export class NotFoundError extends StgError {}
/** A server has refused it. */
export class RefusedError extends StgError {}
/** A server's access control has refused it. */
export class AccessDeniedError extends RefusedError {}
/** A server does not speak as it should. */
export class ProtocolError extends StgError {}

// By hand: who makes code smaller renames classes.
for (const [name, kind] of Object.entries({
  StgError,
  InvalidArgumentError,
  FullError,
  ClosedError,
  TimeoutError,
  ConnectionError,
  NotFoundError,
  RefusedError,
  AccessDeniedError,
  ProtocolError,
})) {
  Object.defineProperty(kind.prototype, "name", { value: name, configurable: true, writable: true });
}

const CLASSES = {
  INVALID_ARGUMENT: InvalidArgumentError,
  FULL: FullError,
  CLOSED: ClosedError,
  CANCELLED: ClosedError,
  TIMEOUT: TimeoutError,
  CONNECT_FAILED: ConnectionError,
  TLS_FAILED: ConnectionError,
  CONNECTION_CLOSED: ConnectionError,
  NAME_SERVERS_UNAVAILABLE: ConnectionError,
  NOT_A_NAME_SERVER: ProtocolError,
  WRONG_DIALECT: ProtocolError,
  MALFORMED_ANSWER: ProtocolError,
  TOPIC_NOT_FOUND: NotFoundError,
  GROUP_NOT_FOUND: NotFoundError,
  NO_QUEUE_AVAILABLE: NotFoundError,
  BROKER_NOT_FOUND: NotFoundError,
  REFUSED: RefusedError,
  ACCESS_DENIED: AccessDeniedError,
};

export const errorOf = (code, ...rest) => new (CLASSES[code] ?? StgError)(code, ...rest);

/** The error that an argument is wrong. */
export const invalid = (what) => errorOf("INVALID_ARGUMENT", what, false);

const STATUSES = ["SEND_OK", "FLUSH_DISK_TIMEOUT", "FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"];

/** Texts as the bridge has them: one behind the other, each ended by what none of them has. `split` takes four times as long. */
export class Texts {
  #all;
  #at = 0;

  constructor(all) {
    this.#all = all;
  }

  next() {
    const start = this.#at;
    const end = this.#all.indexOf("\u0002", start);
    this.#at = end + 1;
    return this.#all.slice(start, end);
  }

  rest() {
    return this.#all.slice(this.#at);
  }
}

/** A broker has stored a message. */
export class Receipt {
  constructor(status, texts, queueId, queueOffset) {
    this.status = STATUSES[status];
    this.messageId = texts.next();
    this.offsetMessageId = texts.next() || undefined;
    this.queue = { topic: texts.next(), brokerName: texts.next(), queueId };
    this.queueOffset = queueOffset;
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A message that came. */
export class Message {
  #body;
  #properties;

  constructor(texts, queueId, queueOffset, body, flag, bornMs, storedMs, reconsumeTimes) {
    this.topic = texts.next();
    this.queue = { topic: texts.next(), brokerName: texts.next(), queueId };
    this.queueOffset = queueOffset;
    this.messageId = texts.next();
    this.flag = flag;
    this.bornAt = new Date(bornMs);
    this.storedAt = new Date(storedMs);
    this.bornHost = texts.next();
    this.reconsumeTimes = reconsumeTimes;
    this.#body = body;
    this.#properties = texts.rest();
  }

  /** The body. */
  bytes() {
    return this.#body;
  }

  /** The body as text in UTF-8. */
  text() {
    return decoder.decode(this.#body);
  }

  /** The body read as JSON. */
  json() {
    return JSON.parse(this.text());
  }

  get properties() {
    if (typeof this.#properties === "string") {
      // Names and values in turn.
      const parts = this.#properties.split("\u0002");
      const properties = Object.create(null);
      for (let at = 0; at + 1 < parts.length; at += 2) properties[parts[at]] = parts[at + 1];
      this.#properties = properties;
    }
    return this.#properties;
  }

  get tag() {
    return this.properties.TAGS;
  }

  get keys() {
    return this.properties.KEYS?.split(" ").filter(Boolean) ?? [];
  }
}
