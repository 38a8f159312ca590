/**
 * What the package exports, in Node and in pages. Times are in milliseconds, sizes in bytes.
 *
 * @module stgclient
 */

// Written by hand. `tests/types` keeps the names those of `index.js`.

/// <reference lib="es2020" />
/// <reference lib="esnext.disposable" />

// Connecting.

/**
 * Loads the WebAssembly of a page: from beside the package's code, or what is given (a URL, a Response, bytes). `connect` does it by
 * itself, so it is only needed where the file is elsewhere, or to have it early. In Node it does nothing.
 *
 * A second call gives what the first one does. Rejects with `CONNECT_FAILED` when it cannot be loaded, or the page's policy forbids it; then
 * the next one tries again.
 */
export function init(source?: string | URL | Response | Promise<Response> | ArrayBuffer | ArrayBufferView): Promise<void>;

/**
 * Connects to the cluster of these name servers:
 *
 * - `"10.0.0.1:9876"`, several of them separated by `;` or `,`, or as an array: TCP, or TLS with `tls`. In Node only;
 * - `"rocketmq://10.0.0.1:9876"`: the same; `"rocketmqs://10.0.0.1:9876"`: over TLS;
 * - `"wss://gateway/path"` or `"ws://…"`, with `nameServers`: through a tunnel;
 * - `{ addresses, transport }`: by a transport of the application's own.
 *
 * Rejects with {@link InvalidArgumentError} when an address or an option is wrong, `CONNECT_FAILED` when a page's WebAssembly cannot be loaded,
 * `NAME_SERVERS_UNAVAILABLE` when no name server
 * answers in time, `NOT_A_NAME_SERVER` when all that answer are brokers, `WRONG_DIALECT` when they speak another dialect, and with the
 * signal's reason when it is aborted.
 */
export function connect(target: string | readonly string[] | OwnTransport, options?: ConnectOptions): Promise<Client>;

/** Name servers, `host:port`, and how they and brokers are connected to. */
export interface OwnTransport {
  /** The name servers: several as an array, or separated by `;` or `,`. */
  addresses: string | readonly string[];
  /** How streams to them and to brokers are opened. */
  transport: Transport;
  /** As {@link ConnectOptions.offsets}, which has precedence. */
  offsets?: ConnectOptions["offsets"];
}

/** How a client is set up. An option that is undefined has its default; one that nobody knows is refused. */
export interface ConnectOptions {
  /** TLS to name servers and brokers; with `rocketmqs://` it is on. For sockets only. Off by default. */
  tls?: boolean | TlsOptions | undefined;
  /** The tunnel's WebSockets. For `ws://` and `wss://` only. */
  webSocket?: WebSocketOptions | undefined;
  /** The name servers behind a tunnel, `host:port`. For `ws://` and `wss://` only, and needed there. */
  nameServers?: string | readonly string[] | undefined;
  /** A transport of the application's own, with name servers as `host:port`. */
  transport?: Transport | undefined;
  /**
   * What every request is signed with. Unsigned by default. For keys that change, a function, which is asked before the client connects, and
   * again for the next ones: see {@link CredentialsFunction}.
   */
  credentials?: Credentials | CredentialsFunction | undefined;
  /**
   * Where broadcasting consumers keep their offsets: a folder (Node), a store of the application's own, or `false`: in memory, so that each
   * start is that of a new group. In Node `.rocketmq_offsets` in the user's home folder by default, as of the Rust client and Java's; in
   * pages and their Workers the IndexedDB of the origin, database `stgclient`. See {@link OffsetStore}.
   *
   * In a folder they are in the file `INSTANCE/GROUP/offsets.json`, `INSTANCE` being the option `instance`, or `DEFAULT`. One consumer at a
   * time can use it: a second one of this machine is refused, unless its client has another `instance`. Clients that are not of this
   * package do not see that.
   *
   * In a page several tabs may have consumers of one group and `instance`: one of them keeps the offsets, and another one from when it is
   * closed. Where the user forbids pages to keep anything, each start is that of a new group, and a `warning` of {@link Client.events} says so.
   */
  offsets?: string | OffsetStore | false | undefined;
  /**
   * Has the client log: lines up to a level, to the console or to a function. `"off"` by default. Warnings are `warning` events of
   * {@link Client.events}, too.
   */
  log?: LogLevel | LogOptions | undefined;
  /** The time for one request to a server, for one look-up and for `connect`, 1 or more. 3000 by default. */
  requestTimeout?: number | undefined;
  /** The time to open a connection, with TLS, 1 or more. 3000 by default; 10,000 in a page, where browsers hold WebSockets back. */
  connectTimeout?: number | undefined;
  /** How long `close` waits for sends and handlers under way, 0 or more. 5000 by default. */
  closeTimeout?: number | undefined;
  /** How long `connect` asks again while no name server answers, 0 or more. 0 by default: each is asked once. */
  waitForServers?: number | undefined;
  /** How often routes are asked for again, 1 or more. 30,000 by default. */
  routeInterval?: number | undefined;
  /** How often brokers hear that the client is alive, 1 or more. 30,000 by default; they forget a client after 2 min. */
  heartbeatInterval?: number | undefined;
  /** The longest frame that is read, 1 to 2^30 bytes. 16 MiB by default. A server that sends a longer one loses its connection. */
  maxFrameLength?: number | undefined;
  /** The longest body after decompression, and all bodies of a pull together, 1 to 2^30 bytes. 64 MiB by default. */
  maxBodyLength?: number | undefined;
  /** What tells this client apart from others of the same address, for brokers. Unique by default. */
  instance?: string | undefined;
  /** How headers are written. `"json"` by default; `"binary"` is shorter, and smaller servers do not know it. */
  headerCodec?: "json" | "binary" | undefined;
  /** The kind of server: Apache RocketMQ by default, or smartgo's stgregistry and stgbroker. */
  dialect?: "apache" | "smartgo" | undefined;
  /** Aborting gives up connecting. Later it does nothing. */
  signal?: AbortSignal | undefined;
}

/** Options of Node's `tls.connect`, and `serverName`. Others are refused. */
export interface TlsOptions {
  /** The name that certificates have to be of. By default the host that is connected to. */
  serverName?: string | undefined;
  /** The authorities to trust, in PEM. Those of Node by default. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** The client's certificate, in PEM, with those of authorities between it and the root. */
  cert?: string | Uint8Array | undefined;
  /** The client's key, in PEM. */
  key?: string | Uint8Array | undefined;
  /** Certificate and key, in PKCS #12. */
  pfx?: string | Uint8Array | undefined;
  /** The password of `key` or `pfx`. */
  passphrase?: string | undefined;
  /** `false` takes any certificate: for tests only. `true` by default. */
  rejectUnauthorized?: boolean | undefined;
  /** The oldest version to take. Node's by default: 1.2. */
  minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** The newest version to take. Node's by default: 1.3. */
  maxVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** The ciphers to take, as OpenSSL lists them. Those of Node by default. */
  ciphers?: string | undefined;
}

/** How a tunnel's WebSockets are opened. */
export interface WebSocketOptions {
  /** The class to use. By default the global one; in Node without one, that of the package `ws`. */
  WebSocket?: WebSocketClass | undefined;
  /** The subprotocols to ask for. `["binary"]` by default. */
  protocols?: readonly string[] | undefined;
  /**
   * A token for the gateway, which gets it as one more subprotocol, `bearer.` and the token. Of one that expires, a function that gives a
   * valid one, or promises it: each tunnel asks for it, and the gateway ends tunnels whose token has expired.
   */
  token?: string | (() => string | Promise<string>) | undefined;
}

/** A class of WebSockets, as pages have it. */
export interface WebSocketClass {
  /** Opens a WebSocket. */
  new (url: string, protocols: string[]): object;
}

/** What requests are signed with, for servers with access control (ACL 1.0 and auth 2.0). */
export interface Credentials {
  /** Who it is. */
  accessKey: string;
  /** What is signed with. It is not sent. */
  secretKey: string;
  /** The token of temporary keys. */
  securityToken?: string | undefined;
}

/**
 * Gives credentials that change. It may take its time, such as until there are newer ones. It is asked again when four fifths of the time
 * until `expiresAt` (a Date, or milliseconds since 1970 UTC) are over, or after a minute, if it does not say that; at most once a second. What is
 * under way then goes on, and is signed with the new ones when it is tried again.
 *
 * When it fails, `connect` rejects with what it has thrown, or with {@link InvalidArgumentError}, if what it gives is no credentials. Later
 * the old ones stay, which is a `warning` of {@link Client.events}, and it is asked again after 5 s.
 */
export type CredentialsFunction = () => RotatingCredentials | PromiseLike<RotatingCredentials>;

/** What a {@link CredentialsFunction} gives. */
export interface RotatingCredentials extends Credentials {
  /** Until when they are valid: a Date, or milliseconds since 1970 UTC. Without it they are asked for again after a minute. */
  expiresAt?: Date | number | undefined;
}

/**
 * Where broadcasting consumers keep their offsets: texts by keys, such as `"DEFAULT/prices"` of the group `prices` (and of the client's
 * `instance`, if it has one).
 */
export interface OffsetStore {
  /**
   * The text that was saved last; nothing, if there is none. Asked when a consumer starts, which waits for it. What it throws, and a text
   * that nobody has saved, is what the consumer fails to start with, as `OFFSET_STORE`.
   */
  load(key: string): string | null | undefined | PromiseLike<string | null | undefined>;
  /**
   * Keeps a text in place of the one before. One call follows the other, every `commitInterval` in which there is something new, and when the
   * consumer closes. What it throws is a `warning` of {@link Client.events}; the next text has all that this one had. A call that takes more
   * than 3 s when the consumer closes is not waited for.
   */
  save(key: string, text: string): unknown;
  /** The consumer is closed. */
  close?(key: string): unknown;
}

/** How streams of bytes to servers are opened. */
export interface Transport {
  /**
   * Opens a stream to a server, and tells `events` what becomes of it, now or later. When it throws, the stream could not be opened.
   */
  open(address: { host: string; port: number }, events: StreamEvents): Stream;
}

/** A stream of bytes to a server, in order and without loss. */
export interface Stream {
  /** Writes bytes, which are the stream's from now on. `false` says that it takes no more until it calls `drained`. */
  write(bytes: Uint8Array): boolean | void;
  /** Closes the stream, which may be closed already. What was written before still goes out. Nothing that it tells later is heard. */
  close(): void;
}

/** What a stream tells. They are functions that need no `this`. */
export interface StreamEvents {
  /** It stands. Nothing is written before. */
  readonly opened: () => void;
  /** Bytes have come, cut anywhere. They may be used again after the call. Throws {@link InvalidArgumentError} for anything else. */
  readonly received: (bytes: Uint8Array) => void;
  /** It takes bytes again. */
  readonly drained: () => void;
  /** It has ended or could not be opened: for this reason, or by the server. An error with `isTls` set is a `TLS_FAILED`, one with
   * `isDenied` set an `ACCESS_DENIED`: another try would not help. */
  readonly closed: (reason?: Error | string | null) => void;
}

// Clients.

/** How a client's connections are. Degraded: a server that was wanted could not be reached, or has ended its connection. */
export type ClientState = "connected" | "degraded" | "disconnected" | "closing" | "closed";

/** What may be said of whatever only waits. */
export interface Waiting {
  /** Aborting ends the wait: it rejects with the signal's reason. What a server has been asked by then it may do. */
  signal?: AbortSignal | undefined;
}

/** A client of a cluster, which `connect` makes. One is enough for a process: its producers and consumers share its connections. */
export class Client implements AsyncDisposable {
  private constructor();
  /** By which brokers know it. */
  readonly clientId: string;
  /** How its connections are: for health checks. */
  readonly state: ClientState;
  /** What happens to it, from the first time on that this is read. */
  readonly events: ClientEvents;

  /**
   * A producer, which starts with its first send. The group's name is for brokers and their tools: 1 to 120 letters, digits and `%|_-`.
   *
   * Throws {@link InvalidArgumentError} when an option is wrong. That the group's name is none shows when it starts.
   */
  producer(group: string, options?: ProducerOptions): Producer;

  /**
   * A member of a group, as a stream of messages, which starts with the first that is asked for. Throws {@link InvalidArgumentError}
   * when an option is wrong; what {@link ConsumerStream.start} rejects with shows when it starts.
   *
   * A client is one member of a group: a second consumer of the group is another client's. One that starts while another of its group
   * closes waits for that.
   */
  consumer(group: string, options: ConsumerOptions & OneByOne): ConsumerStream;
  /**
   * A member of a group that gives messages to a handler, several of one queue at once. They are consumed together, or come again
   * together.
   *
   * Ends when the consumer is started: what is sent from then on is consumed. Rejects with {@link InvalidArgumentError} when a name, an
   * expression or an option is wrong or the client has a consumer of the group already, {@link RefusedError} when a broker does not take
   * an SQL expression, `CLOSED` when the client is closed, and with the signal's reason when it is aborted.
   */
  consumer(group: string, options: ConsumerOptions & InBatches, handler: BatchHandler): Promise<Consumer>;
  /** The same, with one message for each call of the handler. */
  consumer(group: string, options: ConsumerOptions & OneByOne, handler: Handler): Promise<Consumer>;

  /**
   * A consumer that chooses queues and keeps offsets itself. Rejects with {@link InvalidArgumentError} when the group's name is none, and
   * `CLOSED`.
   */
  pullConsumer(group: string, options?: Waiting): Promise<PullConsumer>;

  /** Topics, groups, messages, offsets and clusters. Throws nothing. */
  admin(): Admin;

  /** What it has counted since it was made, and has under way. Throws nothing. */
  metrics(): Metrics;

  /**
   * Signs every request with these from now on, also the next tries of what is under way. Throws {@link InvalidArgumentError} when they
   * are none.
   */
  setCredentials(credentials: Credentials): void;

  /**
   * Closes the client with all its producers and consumers. Sends and handlers under way have `closeTimeout`; when it ends nothing of
   * the client is left, and what is asked of it later fails with `CLOSED`. May be called again.
   */
  close(options?: Waiting): Promise<void>;
  /** As {@link Client.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a client has fared, and what it has under way now. A closed client keeps its counts. */
export interface Metrics {
  /** Sends that are over, by the broker of their last try. All brokers that the client knows are there. */
  sends: Record<string, SendCounters>;
  /** Those that had no broker when they ended, or one that is long gone. */
  otherSends: SendCounters;
  /** All sends that are over. */
  allSends: SendCounters;
  /** How long sends took, from the call to the receipt, with all tries; those with a receipt. */
  sendLatency: Histogram;
  /** Sends under way now, whose messages wait for their answers or to be written. */
  messagesInFlight: number;
  /** The bytes of their bodies. */
  bytesInFlight: number;
  /** Sends that stand in line for room now. */
  messagesInLine: number;
  /** Connections that stand now. */
  connections: number;
  /** How often a connection stood. */
  connects: number;
  /** How often one stood of a server that there had been one of before. */
  reconnects: number;
  /** Bytes handed to the transport. */
  bytesSent: number;
  /** Bytes of frames that came. */
  bytesReceived: number;
  /** Push consumers, by group, those that are closed by now too. */
  consumers: Record<string, ConsumerCounters>;
}

/** Sends that are over, by how they ended; each counts once, however often it was tried. */
export interface SendCounters {
  /** With a receipt of the status SEND_OK. */
  sendOk: number;
  /** With a receipt of the status FLUSH_DISK_TIMEOUT. */
  flushDiskTimeout: number;
  /** With a receipt of the status FLUSH_SLAVE_TIMEOUT. */
  flushSlaveTimeout: number;
  /** With a receipt of the status SLAVE_NOT_AVAILABLE. */
  slaveNotAvailable: number;
  /** Oneway, and written. */
  oneway: number;
  /** With an error. */
  failed: number;
  /** Aborted before they were over. They may have been stored all the same. */
  cancelled: number;
  /** How often messages were handed to the broker. */
  tries: number;
  /** How many are over. */
  total: number;
}

/** Durations in milliseconds, counted by how long they were. */
export interface Histogram {
  /** How many there were. */
  count: number;
  /** All of them together. */
  sum: number;
  /** By length, the shortest first. */
  buckets: HistogramBucket[];
}

/** Durations of about one length. */
export interface HistogramBucket {
  /** How long they are at the most, in milliseconds: 0.1, 0.2, 0.5, 1 and so on to 100,000; the last bucket has no bound. */
  upTo: number | undefined;
  /** How many there were that are longer than those of the bucket before. */
  count: number;
}

/** How the push consumers of a group of one client have fared. */
export interface ConsumerCounters {
  /** Messages that came. */
  pulled: number;
  /** Messages that were consumed. */
  consumed: number;
  /** Messages that failed, each as often as it did. */
  failed: number;
  /** Messages that brokers have taken back. */
  sentBack: number;
  /** Messages that could not be read. */
  passedOver: number;
  /** How often a queue was not fetched from any more because as much as may be of it was cached. */
  flowControlled: number;
  /** Queues that a rebalance gave to the consumer. */
  assigned: number;
  /** Queues that it took, or that the consumer gave back when it closed. */
  revoked: number;
  /** Queues that are its own now. */
  queues: number;
  /** Messages that the application has now. */
  inWork: number;
  /** How many messages are to come now; undefined while that is not known, and when it is closed. */
  lag: bigint | undefined;
}

/** What happens to a client: an EventTarget of these events. */
export interface ClientEvents {
  /** Has a listener hear of events of a type. */
  addEventListener<Type extends keyof ClientEventMap>(
    type: Type,
    listener: ((event: ClientEventMap[Type]) => void) | { handleEvent(event: ClientEventMap[Type]): void } | null,
    options?: boolean | { once?: boolean; signal?: AbortSignal; capture?: boolean; passive?: boolean },
  ): void;
  /** Has a listener hear of them no more. */
  removeEventListener<Type extends keyof ClientEventMap>(
    type: Type,
    listener: ((event: ClientEventMap[Type]) => void) | { handleEvent(event: ClientEventMap[Type]): void } | null,
    options?: boolean | { capture?: boolean },
  ): void;
  /** As of every EventTarget: gives an event of the application's own to listeners, and whether none has prevented its default. */
  dispatchEvent(event: Event): boolean;
}

/** The events of a client, by type. */
export interface ClientEventMap {
  /** A connection stands. It comes for those that stand already, too. */
  connected: ClientEventOf<"connected", "address">;
  /** A connection has ended. */
  disconnected: ClientEventOf<"disconnected", "address" | "reason">;
  /** A connection could not be made. */
  unreachable: ClientEventOf<"unreachable", "address" | "error">;
  /** A name server does not answer any more. */
  nameserverlost: ClientEventOf<"nameserverlost", "address" | "error">;
  /** A topic has other queues or brokers. */
  routechanged: ClientEventOf<"routechanged", "topic">;
  /** Something that somebody should look at: `message` says it. */
  warning: ClientEventOf<"warning">;
  /** Queues are a consumer's from now on. It comes of those consumers that have started since somebody asked for the client's `events`. */
  assigned: ClientEventOf<"assigned", "group" | "queues">;
  /** Queues are a consumer's no more. */
  revoked: ClientEventOf<"revoked", "group" | "queues">;
  /** So many events were left out: 256 wait at the most. */
  missed: ClientEventOf<"missed", "count">;
}

/** An event of this type, which has these fields. */
export type ClientEventOf<Type extends string, Fields extends keyof ClientEvent = never> = ClientEvent & {
  /** What happened, in one word. */
  readonly type: Type;
} & Required<Pick<ClientEvent, Fields>>;

/** Something that happened to a client. Which fields it has, its type decides: see {@link ClientEventMap}. */
export class ClientEvent extends Event {
  private constructor();
  /** What happened, in words. */
  readonly message: string;
  /** The server, `host:port`. */
  readonly address?: string;
  /** Why a connection has ended, in words. */
  readonly reason?: string;
  /** What failed. */
  readonly error?: StgError;
  /** The topic's name. */
  readonly topic?: string;
  /** The consumer's group. */
  readonly group?: string;
  /** The queues that come or go. */
  readonly queues?: MessageQueue[];
  /** How many events were left out. */
  readonly count?: number;
}

// The log.

/** Up to which level lines are wanted: `"debug"` are all. */
export type LogLevel = "off" | "error" | "warn" | "info" | "debug";

/** What is logged, and where to. */
export interface LogOptions {
  /** Up to which level. */
  level: LogLevel;
  /** What gets each line. The console by default. */
  sink?: LogSink | undefined;
}

/** A line of the log. */
export interface LogLine {
  /** How grave it is. */
  level: Exclude<LogLevel, "off">;
  /** What happened, the same words each time. */
  message: string;
  /** What it is about: `group`, `topic`, `queue`, `offset`, `message_id`, `keys`, `address`, `error` and the like. */
  fields: { [name: string]: string | undefined };
}

/** Hears of lines, in order and a little later. What it throws is passed over. */
export type LogSink = (line: LogLine) => unknown;

// Queues, messages, receipts.

/** A queue of a topic, at a broker. */
export interface MessageQueue {
  /** The topic's name. */
  readonly topic: string;
  /** The broker's name, which its master and its slaves share. */
  readonly brokerName: string;
  /** Its number at the broker, 0 or more. */
  readonly queueId: number;
}

/** An offset that is given: a bigint, or a number up to 2^53 - 1. What the package gives is always a bigint. */
export type Offset = bigint | number;

/** A message to send. */
export interface OutgoingMessage {
  /** 1 to 127 letters, digits and `%|_-`. */
  topic: string;
  /** Text, which goes as UTF-8, or bytes, 1 or more; up to 4 MiB before compression. */
  body: string | ArrayBuffer | ArrayBufferView;
  /** What consumers select by. */
  tag?: string | undefined;
  /** What {@link Admin.messagesByKey} finds it by. Without spaces. */
  keys?: string | readonly string[] | undefined;
  /** Names and values, together with tag and keys up to 32,639 bytes. */
  properties?: Readonly<Record<string, string>> | undefined;
  /**
   * The broker holds it back: levels 1 to 18 mean 1, 5, 10, 30 s, 1 to 10 min, 20, 30 min, 1 and 2 h, unless the broker is set up in
   * another way. 0, the default, is no delay.
   */
  delayLevel?: number | undefined;
  /** A number of the application's own, of 32 bits with a sign. 0 by default. */
  flag?: number | undefined;
}

/** A message that came. */
export class Message {
  private constructor();
  /** The topic that it was sent to, also when it comes again. */
  readonly topic: string;
  /** Where it was fetched from: when it comes again, a queue of the group's retry topic. */
  readonly queue: MessageQueue;
  /** Its offset in that queue. */
  readonly queueOffset: bigint;
  /** The id that its producer gave: tries of one send have the same. */
  readonly messageId: string;
  /** The number that its producer gave, of 32 bits with a sign. */
  readonly flag: number;
  /** When its producer sent it, by the producer's clock. */
  readonly bornAt: Date;
  /** When the broker stored it, by the broker's clock. */
  readonly storedAt: Date;
  /** Its producer's address, as the broker saw it. */
  readonly bornHost: string;
  /** How often it was not consumed so far. */
  readonly reconsumeTimes: number;
  /** All properties, those of the protocol's own among them. */
  readonly properties: { readonly [name: string]: string | undefined };
  /** What consumers select by, if its producer gave one. */
  readonly tag: string | undefined;
  /** The keys that its producer gave; none is an empty array. */
  readonly keys: string[];
  /** The body, decompressed. The same bytes each time. */
  bytes(): Uint8Array;
  /** The body as text in UTF-8. What is none is replaced by U+FFFD. */
  text(): string;
  /** The body read as JSON. Throws SyntaxError when it is none. */
  json(): any;
}

/** How safely a broker has stored a message. None of these is an error, and none is a reason to send again. */
export type SendStatus = "SEND_OK" | "FLUSH_DISK_TIMEOUT" | "FLUSH_SLAVE_TIMEOUT" | "SLAVE_NOT_AVAILABLE";

/** A broker has stored a message. */
export class Receipt {
  private constructor();
  /** How safely. */
  readonly status: SendStatus;
  /** The message's id, which consumers see, too. */
  readonly messageId: string;
  /** Where it is stored: for {@link Admin.messageById}. */
  readonly offsetMessageId: string | undefined;
  /** The queue that it is in. */
  readonly queue: MessageQueue;
  /** Its offset there. */
  readonly queueOffset: bigint;
}

// Sending.

/** How a producer is set up. An option that is undefined has its default; one that nobody knows is refused. */
export interface ProducerOptions {
  /** The time of a send, with all tries, 1 or more. 3000 by default. */
  sendTimeout?: number | undefined;
  /** How often a message is handed to a broker at the most, 1 to 1000. 3 by default. */
  maxTries?: number | undefined;
  /** From how many bytes on bodies are compressed, 1 or more; `Infinity`: none is. 4096 by default. */
  compressionThreshold?: number | undefined;
  /** How many messages may wait for answers, 1 or more. 2048 by default. */
  maxWaitingMessages?: number | undefined;
  /** How many bytes of bodies may wait for answers, 1 to 2^31 - 1. 64 MiB by default. */
  maxWaitingBytes?: number | undefined;
  /** Whether brokers that were slow are avoided for a while. `true` by default. */
  avoidSlowBrokers?: boolean | undefined;
}

/** How one message is sent. A send has an `orderKey` or a `queue`, not both. */
export type SendOptions = SendTimes &
  (
    | {
        /** Messages of one key go to one queue, as long as the topic has the same queues: that which Java chooses by the key's hash. */
        orderKey?: string | undefined;
        /** Not beside `orderKey`. */
        queue?: undefined;
      }
    | {
        /** Which queue. All in turn by default. */
        queue?: QueueChoice | undefined;
        /** Not beside `queue`. */
        orderKey?: undefined;
      }
  );

/** How long a send may take. */
export interface SendTimes {
  /** The time of this send, with all tries, 1 or more. The producer's `sendTimeout` by default. */
  timeout?: number | undefined;
  /**
   * Aborting withdraws a message that still waits for room, a route or a connection. One that is written may be stored all the same. The
   * promise rejects with the signal's reason.
   */
  signal?: AbortSignal | undefined;
}

/**
 * Which queue a message goes to: `"random"`; a queue of its topic; or a function that gets the queues that can be written, and gives one
 * of them or its index. It is called once, when the client knows the topic's queues, mostly within `send`; later sends of its producer wait
 * until then. What it throws is what the send rejects with. By default messages go to all queues in turn.
 */
export type QueueChoice =
  | "random"
  | MessageQueue
  | ((queues: readonly MessageQueue[], message: OutgoingMessage) => number | MessageQueue);

/** What sends messages of a group. {@link Client.producer} makes it. */
export class Producer implements AsyncDisposable {
  private constructor();
  /** How many messages and bytes wait for room or for answers. */
  readonly backlog: {
    /** How many messages. */
    messages: number;
    /** The bytes of their bodies. */
    bytes: number;
  };

  /**
   * Starts the producer, as the first send does, and gives it. Rejects with {@link InvalidArgumentError} when the group's name is none,
   * and `CLOSED`.
   */
  start(): Promise<Producer>;

  /**
   * Sends a message; ends with its receipt. Where too much waits already it stands in line, in the order of the calls.
   *
   * Rejects with {@link InvalidArgumentError} (nothing was sent), {@link TimeoutError}, {@link ConnectionError}, {@link NotFoundError},
   * {@link RefusedError}, `CLOSED`, or the signal's reason. After an error other than the first the message may be stored all the same.
   */
  send(message: OutgoingMessage, options?: SendOptions): Promise<Receipt>;

  /** As {@link Producer.send}, but rejects at once with {@link FullError} where too much waits already. */
  trySend(message: OutgoingMessage, options?: SendOptions): Promise<Receipt>;

  /** Sends a message that no broker answers, with one try; ends when it is written, which does not say that a broker has it. */
  sendOneway(message: OutgoingMessage, options?: SendOptions): Promise<void>;

  /**
   * As {@link Producer.send}, for those who want a callback, which gets what `send` rejects with, or null and the receipt. Throws
   * {@link InvalidArgumentError} when there is no callback.
   */
  sendWithCallback(message: OutgoingMessage, callback: SendCallback): void;
  sendWithCallback(message: OutgoingMessage, options: SendOptions | undefined, callback: SendCallback): void;

  /** Ends when all that was sent before is over, well or not. */
  flush(options?: Waiting): Promise<void>;

  /** Takes nothing new, and ends when all that was sent is over. May be called again. */
  close(options?: Waiting): Promise<void>;
  /** As {@link Producer.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The error is what `send` rejects with: an StgError, or the signal's reason, an AbortError unless the application chose another. */
export type SendCallback = (error: Error | null, receipt?: Receipt) => void;

// Consuming.

/** Messages are selected by tags or by SQL92 over their properties. By default all are. */
export type Selector =
  | {
      /** A tag, or several: an array, or as `"paid || refunded"`. `"*"`, the default, is all. */
      tags?: string | readonly string[] | undefined;
      /** Not beside `tags`. */
      sql?: undefined;
    }
  | {
      /** An expression such as `"amount > 100"`, where brokers are set up for it (`enablePropertyFilter`). */
      sql: string;
      /** Not beside `sql`. */
      tags?: undefined;
    };

/** A topic, and which of its messages. */
export type Subscription = {
  /** The topic's name. One that is not there yet is subscribed to all the same. */
  topic: string;
} & Selector;

/** A topic, or subscriptions to several. */
export type Subscribing =
  | (Subscription & {
      /** Not beside `topic`. */
      subscriptions?: undefined;
    })
  | {
      /** One or more. */
      subscriptions: readonly Subscription[];
      /** Each of the subscriptions has its own. */
      topic?: undefined;
      /** Each of the subscriptions has its own. */
      tags?: undefined;
      /** Each of the subscriptions has its own. */
      sql?: undefined;
    };

/** One message at a time: what a stream and a handler without `batchSize` have. */
export interface OneByOne {
  /** For handlers that get several. */
  batchSize?: undefined;
  /** Each queue by its offsets, one message at a time; one that fails comes again before all that follow. `false` by default. */
  orderly?: boolean | undefined;
}

/** Several messages for each call of a handler. */
export interface InBatches {
  /** How many messages of a queue a call has at the most, 1 to 1024. */
  batchSize: number;
  /** In order messages come one at a time. */
  orderly?: false | undefined;
}

/** What a consumer subscribes to, and how it consumes. */
export type ConsumerOptions = Subscribing & ConsumerSettings;

/** How a consumer consumes. An option that is undefined has its default; one that nobody knows is refused. */
export interface ConsumerSettings {
  /**
   * Where the group begins on a queue of which it has no offset: with what is sent after its start (`"last"`, the default), with the
   * first message (`"first"`), or with the first stored at a moment or later (a Date, or milliseconds since 1970 UTC).
   */
  from?: "last" | "first" | Date | number | undefined;
  /**
   * Members share the messages (`"clustering"`, the default), or each gets all (`"broadcasting"`) and keeps its own offsets, as the option
   * {@link ConnectOptions.offsets} says. Nothing that fails comes again then.
   */
  model?: "clustering" | "broadcasting" | undefined;
  /** How many messages the application may have in work, 1 or more. 64 by default. */
  maxInWork?: number | undefined;
  /** How many messages a second are given at the most, 1 or more. As many as come by default. */
  maxRate?: number | undefined;
  /** How often a message comes again before it is a dead letter, 0 or more. 16 by default; in order without end. */
  maxReconsumeTimes?: number | undefined;
  /** A queue with more unfinished messages is not fetched from, 1 or more. 1000 by default. */
  maxCachedMessages?: number | undefined;
  /** A queue with more bytes of unfinished messages is not fetched from, 1 to 2^31 - 1. 100 MiB by default. */
  maxCachedBytes?: number | undefined;
  /** How many messages are fetched at once, 1 to 1024. 32 by default, which is also what brokers give by default. */
  pullBatchSize?: number | undefined;
  /** Without order: what takes longer counts as failed, 1 or more. 900,000 (15 min) by default. */
  consumeTimeout?: number | undefined;
  /** How often offsets are committed, 1 or more. 5000 by default. */
  commitInterval?: number | undefined;
  /** How often the queues are shared anew, 1 or more. 20,000 by default; also when members or routes change. */
  rebalanceInterval?: number | undefined;
  /** Hears of queues that come and go. */
  rebalanceListener?: RebalanceListener | undefined;
  /**
   * Aborting gives up starting; for a stream also whoever waits for a message: the loop ends with the signal's reason, and the
   * consumer closes. A handler's consumer that is started goes on.
   */
  signal?: AbortSignal | undefined;
}

/**
 * What an application does when queues come and go, for what it keeps of each. It hears of queues before their first message is given and
 * after the last, of the retry topic's, too; of one change after the other. A queue begins once the promise of `assigned` has ended; one in order goes
 * to the next member once that of `revoked` has; either after 20 s at the latest, and what fails is a `warning` of {@link Client.events}.
 * Without order the next member may have begun by then.
 */
export interface RebalanceListener {
  /** These queues are this consumer's now. None of their messages has been given yet. */
  assigned?(queues: MessageQueue[]): unknown;
  /** These queues leave, also when the consumer closes: no more of their messages are given. */
  revoked?(queues: MessageQueue[]): unknown;
}

/**
 * Consumes a message. It is consumed when the call returns, or its promise ends well; it comes again later when it throws or gives what
 * {@link reconsumeLater} or, in order, {@link suspend} gives.
 */
export type Handler = (message: Message) => HandlerResult;

/** Consumes messages of one queue, one or more, in the order of their offsets. */
export type BatchHandler = (messages: Message[]) => HandlerResult;

/** What a handler gives: nothing, or a promise of nothing, when it has consumed; or that it has not. */
export type HandlerResult = void | Verdict | PromiseLike<void | Verdict>;

/**
 * For a handler without order to return or throw: the message comes again, after a delay level of the broker, 1 to 18 (1, 5, 10, 30 s, 1 to
 * 10 min, 20, 30 min, 1 and 2 h), or, with `"never"`, is a dead letter at once. By default the broker decides: 10 s, then longer each
 * time, up to 2 h. `reason` is for the log: a warning of the client's.
 *
 * Throws {@link InvalidArgumentError} when the level is none. In order it has no meaning: the message fails, the warning says so, and its
 * queue rests for 1 s.
 */
export function reconsumeLater(level?: number | "never", reason?: string): Verdict;

/**
 * For a handler in order to return or throw: the queue rests for so many milliseconds, 1 or more, 1000 by default, and then the message comes
 * again, before all that follow it. `reason` is for the log: a warning of the client's.
 *
 * Throws {@link InvalidArgumentError} when the time is none. Without order it has no meaning: the message fails, the warning says so, and the
 * broker decides when it comes again.
 */
export function suspend(ms?: number, reason?: string): Verdict;

/** A message was not consumed. {@link reconsumeLater} and {@link suspend} make it. */
export class Verdict {
  private constructor();
  /** Whether {@link suspend} has made it. */
  readonly suspends: boolean;
  /** The level, -1 for never; or the milliseconds. */
  readonly delay: number | undefined;
  /** Why, for the log. */
  readonly reason: string | undefined;
}

/** A member of a group. It runs until it or its client is closed, and keeps the process alive as long. */
export class Consumer implements AsyncDisposable {
  private constructor();
  /** What it has and has done. Throws `CLOSED` after a fault of the client's own, and nothing else. */
  readonly status: ConsumerStatus;

  /**
   * Wants messages of a topic, too, or other ones of it. Rejects with {@link InvalidArgumentError} when topic or expression is none, and
   * `CLOSED`. Of SQL that brokers do not take a `warning` of the client's `events` tells, and nothing is fetched by it.
   */
  subscribe(topic: string, options?: Selector): Promise<void>;
  /** Wants no more messages of a topic. Throws {@link InvalidArgumentError} when it is no string. */
  unsubscribe(topic: string): void;

  /**
   * Fetches and gives nothing more until `resume`; of one queue, if it is given. Gives whether it has that queue. Throws
   * {@link InvalidArgumentError} when it is none.
   */
  pause(queue?: MessageQueue): boolean;
  /** Goes on, as it was before `pause`. */
  resume(queue?: MessageQueue): boolean;

  /** Goes on at an offset of a queue; gives whether it has the queue. Throws {@link InvalidArgumentError}. */
  seek(queue: MessageQueue, offset: Offset): boolean;

  /** Ends when it has begun with its share of the queues. Rejects with `CLOSED`, or with the signal's reason. */
  ready(options?: { signal?: AbortSignal | undefined }): Promise<void>;

  /**
   * Closes it: handlers under way have `within` ms, the client's `closeTimeout` by default; offsets are committed, queues go to other
   * members. Ends with what was not finished, which comes again.
   */
  close(options?: CloseOptions): Promise<Unfinished[]>;
  /** As {@link Consumer.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a consumer is closed. */
export interface CloseOptions {
  /** How long what is in work may take, 0 or more. The client's `closeTimeout` by default. */
  within?: number | undefined;
}

/** What was not finished when a consumer closed. */
export interface Unfinished {
  /** Of which queue. */
  queue: MessageQueue;
  /** The offsets of the messages. */
  offsets: bigint[];
}

/** How a consumer stands at a moment. */
export interface ConsumerStatus {
  /** Whether it has begun with its share of the queues. */
  isReady: boolean;
  /**
   * How many messages are to come from all its queues; undefined while it is not known, which it is of each queue once a broker has answered
   * the first pull: a little after {@link Consumer.ready}.
   */
  lag: bigint | undefined;
  /** How many messages the application has. */
  inWork: number;
  /** How many messages came since its start. */
  pulled: number;
  /** How many of them were consumed. */
  consumed: number;
  /** How often one of them failed. */
  failed: number;
  /** Its queues; that of what comes again among them. */
  queues: QueueStatus[];
}

/** How a consumer stands with one of its queues. */
export interface QueueStatus {
  /** Which queue. */
  queue: MessageQueue;
  /** Whether it has begun with the queue. */
  isConsuming: boolean;
  /** The first offset that is not finished. */
  offset: bigint;
  /** The offset that brokers know; undefined before the first commit. */
  committed: bigint | undefined;
  /** How many messages are to come; undefined while it is not known. */
  lag: bigint | undefined;
  /** How many messages were fetched and are not finished. */
  cachedMessages: number;
  /** The bytes of their bodies. */
  cachedBytes: number;
  /** In order: whether the broker has granted the lock. */
  isLocked: boolean;
  /** Whether {@link Consumer.pause} has it rest. */
  isPaused: boolean;
}

/** A message of a stream. It has to be settled, by one of these, once. */
export interface StreamMessage extends Message {
  /**
   * It is consumed. Gives whether that counts: it does not the second time, nor when its queue has gone to another member, which gets it
   * again.
   */
  ack(): boolean;
  /**
   * It comes again: after a delay level of the broker, 1 to 18, or `"never"`, a dead letter at once; the broker decides by default. Gives
   * whether that counts. Throws {@link InvalidArgumentError} when the level is none, and in order.
   */
  reconsumeLater(level?: number | "never"): boolean;
  /**
   * In order: its queue rests for so many milliseconds, 1 or more, 1000 by default, and then it comes again, before all that follow it. Gives
   * whether that counts. Throws {@link InvalidArgumentError} when the time is none, and without order.
   */
  suspend(ms?: number): boolean;
}

/** Messages that are asked for one by one. As many as `maxInWork` may be held at once. {@link Client.consumer} makes it. */
export class ConsumerStream implements AsyncIterableIterator<StreamMessage>, AsyncDisposable {
  private constructor();

  /**
   * Starts, as asking for the first message does, and gives the consumer: its status, pause, seek and the like. Rejects as
   * {@link Client.consumer} with a handler does.
   */
  start(): Promise<Consumer>;

  /**
   * The next message; done when the stream, its consumer or the client is closed. Rejects as {@link ConsumerStream.start} does, and
   * with the signal's reason; then the consumer closes.
   */
  next(): Promise<IteratorResult<StreamMessage, undefined>>;
  /**
   * What leaving a loop does: closes at once, and ends when that is done. What was not settled comes again. To leave time for what is in work
   * elsewhere, {@link ConsumerStream.close} before the loop is left.
   */
  return(): Promise<IteratorResult<StreamMessage, undefined>>;

  /** As {@link Consumer.close}. A stream that was not started never starts. */
  close(options?: CloseOptions): Promise<Unfinished[]>;

  /** The stream itself: there is one, however many loops ask it. */
  [Symbol.asyncIterator](): this;
  /** As {@link ConsumerStream.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What asks for messages itself. {@link Client.pullConsumer} makes it. Its calls reject as {@link Admin}'s do. */
export class PullConsumer implements AsyncDisposable {
  private constructor();
  /** The queues of a topic that can be read, by broker and number. */
  queues(topic: string, options?: Waiting): Promise<MessageQueue[]>;

  /**
   * Messages of a queue, from an offset on. Without `wait` it ends at once where there is none, and that there is none is no error: see
   * {@link PullResult.status}.
   */
  pull(queue: MessageQueue, offset: Offset, options?: PullOptions): Promise<PullResult>;

  /** The first offset that the queue has. */
  minOffset(queue: MessageQueue, options?: Waiting): Promise<bigint>;
  /** The offset that the next message will have. */
  maxOffset(queue: MessageQueue, options?: Waiting): Promise<bigint>;
  /** The offset of the first message stored at this moment (a Date, or milliseconds since 1970 UTC) or later. */
  offsetAt(queue: MessageQueue, moment: Date | number, options?: Waiting): Promise<bigint>;
  /** Where the group goes on; undefined, if it has committed nothing. */
  committedOffset(queue: MessageQueue, options?: Waiting): Promise<bigint | undefined>;
  /** Says where the group goes on: the offset of the first message that it has not consumed. The broker is told at once. */
  commitOffset(queue: MessageQueue, offset: Offset, options?: Waiting): Promise<void>;

  /** Closes it. Pulls under way go on. */
  close(options?: Waiting): Promise<void>;
  /** As {@link PullConsumer.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Which messages are pulled, and how long that may take. */
export type PullOptions = Selector & {
  /** 1 to 1024. 32 by default, as brokers give by default. */
  maxMessages?: number | undefined;
  /** How long the broker may hold the request when there is nothing new. 0 by default: it answers at once. */
  wait?: number | undefined;
  /** The time for the answer, beyond `wait`, 1 or more. 10,000 by default. */
  timeout?: number | undefined;
  /** Aborting gives up. */
  signal?: AbortSignal | undefined;
};

/** What a pull brought. */
export interface PullResult {
  /** Whether there is anything: nothing new, nothing that was selected, or the queue does not have this offset. */
  status: "FOUND" | "NO_NEW_MESSAGE" | "NO_MATCHED_MESSAGE" | "OFFSET_ILLEGAL" | "UNKNOWN";
  /** By their offsets; none unless the status is `FOUND`. */
  messages: Message[];
  /** Where to go on, whatever the status. */
  nextOffset: bigint;
  /** The first offset that the queue has. */
  minOffset: bigint;
  /** The offset that the next message of the queue will have. */
  maxOffset: bigint;
  /** Messages that cannot be read, and why. */
  refused: RefusedMessage[];
}

/** A message that cannot be read. */
export interface RefusedMessage {
  /** Its offset; undefined, if that cannot be read either. */
  queueOffset: bigint | undefined;
  /** Why, in words. */
  reason: string;
}

// Administering.

/** At all brokers, or at those of a cluster, or at one: its name, or its address as `host:port`. */
export type Placement =
  | {
      /** The cluster's name. */
      cluster?: string | undefined;
      /** Not beside `cluster`. */
      broker?: undefined;
    }
  | {
      /** The broker's name, or its address as `host:port`. */
      broker?: string | undefined;
      /** Not beside `broker`. */
      cluster?: undefined;
    };

/** Where a topic is created, and how. */
export type TopicOptions = Placement & {
  /** How many queues each broker has, 1 to 65,536. 8 by default. */
  queues?: number | undefined;
  /** `"read-write"` by default. */
  permission?: "read-write" | "read" | "write" | undefined;
};

/**
 * Topics, groups, messages, offsets and clusters. All calls reject with {@link InvalidArgumentError} when an argument is wrong,
 * {@link NotFoundError} when there is no such topic, group or broker, {@link RefusedError} when a broker refuses, {@link TimeoutError} or
 * {@link ConnectionError} when a server does not answer, and `CLOSED`.
 */
export class Admin {
  private constructor();
  /** Creates a topic, or changes it. */
  createTopic(topic: string, options?: TopicOptions & Waiting): Promise<void>;
  /** Deletes a topic. One that is not there is deleted already. */
  deleteTopic(topic: string, options?: Placement & Waiting): Promise<void>;
  /** The names of all topics, sorted. */
  topics(options?: Waiting): Promise<string[]>;
  /** The names of all consumer groups, sorted. */
  groups(options?: Waiting): Promise<string[]>;
  /** Where a topic is. */
  route(topic: string, options?: Waiting): Promise<Route>;
  /** The offsets of all queues of a topic. */
  statistics(topic: string, options?: Waiting): Promise<QueueStatistics[]>;
  /** How far a group is behind, by queue and in all. */
  lag(group: string, options?: Waiting): Promise<Lag>;
  /** The clusters and their brokers. */
  cluster(options?: Waiting): Promise<ClusterInfo>;

  /** The first offset that a queue has. */
  minOffset(queue: MessageQueue, options?: Waiting): Promise<bigint>;
  /** The offset that the next message will have. */
  maxOffset(queue: MessageQueue, options?: Waiting): Promise<bigint>;
  /** The offset of the first message stored at this moment (a Date, or milliseconds since 1970 UTC) or later. */
  offsetAt(queue: MessageQueue, moment: Date | number, options?: Waiting): Promise<bigint>;
  /** Where a group goes on; undefined, if it has committed nothing. */
  groupOffset(group: string, queue: MessageQueue, options?: Waiting): Promise<bigint | undefined>;
  /**
   * Says where a group goes on, which the broker has to know: it refuses others (`REFUSED`). A member that consumes the queue does not hear
   * of it: see {@link Admin.resetOffsets}.
   */
  commitGroupOffset(group: string, queue: MessageQueue, offset: Offset, options?: Waiting): Promise<void>;
  /**
   * Has a group go on elsewhere in a topic, on all queues: with the first message, behind the last, or with the first stored at a moment
   * (a Date, or milliseconds since 1970 UTC) or later. Ends with the new offsets. After an error some brokers may be reset and others
   * not; the same call may be made again.
   */
  resetOffsets(group: string, topic: string, to: "first" | "last" | Date | number, options?: Waiting): Promise<QueueOffset[]>;

  /** The message of a {@link Receipt.offsetMessageId}; undefined, if it is not there any more. */
  messageById(id: string, options?: Waiting): Promise<Message | undefined>;
  /** The message of a {@link Message.messageId}; undefined, if no broker of the topic has it. */
  messageByUniqueKey(topic: string, id: string, options?: Waiting): Promise<Message | undefined>;
  /** The newest messages of a key, the oldest of them first. `max` is 1 to 1024, 32 by default. */
  messagesByKey(topic: string, key: string, options?: { max?: number | undefined } & Waiting): Promise<Message[]>;
}

/** An offset of a queue. */
export interface QueueOffset {
  /** Which queue. */
  queue: MessageQueue;
  /** Where in it. */
  offset: bigint;
}

/** Where a topic is. */
export interface Route {
  /** The brokers that have it. */
  brokers: RouteBroker[];
  /** How many queues it has at each. */
  queues: RouteQueues[];
  /** The queues that can be sent to. */
  writableQueues: MessageQueue[];
}

/** A broker of a topic. */
export interface RouteBroker {
  /** Its name. */
  name: string;
  /** Its cluster's name. */
  cluster: string;
  /** The addresses of the master (`"0"`) and of slaves, `host:port`. */
  addresses: Record<string, string>;
}

/** The queues of a topic at a broker. */
export interface RouteQueues {
  /** The broker's name. */
  brokerName: string;
  /** How many are for reading. */
  readQueues: number;
  /** How many are for writing. */
  writeQueues: number;
  /** Whether they can be consumed from. */
  isReadable: boolean;
  /** Whether they can be sent to. */
  isWritable: boolean;
}

/** What a queue has. */
export interface QueueStatistics {
  /** Which queue. */
  queue: MessageQueue;
  /** The first offset that it has. */
  minOffset: bigint;
  /** The offset that the next message will have. */
  maxOffset: bigint;
  /** When the last message was stored; undefined, if there was none. */
  lastUpdate: Date | undefined;
}

/** How far a group is behind. */
export interface Lag {
  /** How many messages it has to consume. */
  total: bigint;
  /** By queue. */
  queues: QueueLag[];
}

/** How far a group is behind on a queue. */
export interface QueueLag {
  /** Which queue. */
  queue: MessageQueue;
  /** The offset that the next message will have. */
  brokerOffset: bigint;
  /** Where the group goes on. */
  consumerOffset: bigint;
  /** How many messages it has to consume. */
  lag: bigint;
}

/** The brokers that there are. */
export interface ClusterInfo {
  /** The names of brokers, by cluster. */
  clusters: Record<string, string[]>;
  /** The addresses of brokers, by name: of the master (`"0"`) and of slaves. */
  brokers: Record<string, Record<string, string>>;
}

// Errors.

/** What failed. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "FULL"
  | "CLOSED"
  | "CANCELLED"
  | "TIMEOUT"
  | "CONNECT_FAILED"
  | "TLS_FAILED"
  | "CONNECTION_CLOSED"
  | "NAME_SERVERS_UNAVAILABLE"
  | "NOT_A_NAME_SERVER"
  | "WRONG_DIALECT"
  | "MALFORMED_ANSWER"
  | "TOPIC_NOT_FOUND"
  | "GROUP_NOT_FOUND"
  | "NO_QUEUE_AVAILABLE"
  | "BROKER_NOT_FOUND"
  | "REFUSED"
  | "ACCESS_DENIED"
  | "OFFSET_STORE"
  | "UNKNOWN";

/** Whatever fails, fails with one of these, unless a signal was aborted: then with the signal's reason. */
export class StgError extends Error {
  protected constructor();
  /** What failed. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** The code that a server answered with. */
  readonly responseCode: number | undefined;
  /** The remark that a server answered with. */
  readonly remark: string | undefined;
  /** The broker's name. */
  readonly broker: string | undefined;
  /** The server's address, `host:port`. */
  readonly address: string | undefined;
  /** What was tried, when it failed, in milliseconds after the call, and how. Empty where it was tried once: the error says it all. */
  readonly attempts: Attempt[];
}

/** One try of what failed. */
export interface Attempt {
  /** The server that was asked, `host:port`; undefined, if there was none to ask. */
  address: string | undefined;
  /** How many milliseconds after the call it failed. */
  afterMs: number;
  /** How it failed, in words. */
  outcome: string;
}

/** An argument or option is wrong. Nothing was sent. */
export class InvalidArgumentError extends StgError {
  /** What failed. */
  readonly code: "INVALID_ARGUMENT";
}
/** There is no room for more. */
export class FullError extends StgError {
  /** What failed. */
  readonly code: "FULL";
}
/** The client, producer or consumer is closed. */
export class ClosedError extends StgError {
  /** What failed. */
  readonly code: "CLOSED" | "CANCELLED";
}
/** Nobody answered in time. */
export class TimeoutError extends StgError {
  /** What failed. */
  readonly code: "TIMEOUT";
}
/** No connection could be made, or it ended. */
export class ConnectionError extends StgError {
  /** What failed. */
  readonly code: "CONNECT_FAILED" | "TLS_FAILED" | "CONNECTION_CLOSED" | "NAME_SERVERS_UNAVAILABLE";
}
/** A topic, group, broker or queue is not there. */
export class NotFoundError extends StgError {
  /** What failed. */
  readonly code: "TOPIC_NOT_FOUND" | "GROUP_NOT_FOUND" | "NO_QUEUE_AVAILABLE" | "BROKER_NOT_FOUND";
}
/** A server has refused it. */
export class RefusedError extends StgError {
  /** What failed. */
  readonly code: "REFUSED" | "ACCESS_DENIED";
}
/** A server's access control has refused it. */
export class AccessDeniedError extends RefusedError {
  /** What failed. */
  readonly code: "ACCESS_DENIED";
}
/** A server does not speak as it should. */
export class ProtocolError extends StgError {
  /** What failed. */
  readonly code: "NOT_A_NAME_SERVER" | "WRONG_DIALECT" | "MALFORMED_ANSWER";
}
