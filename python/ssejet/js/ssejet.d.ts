/** An event of an event stream. */
export interface ServerSentEvent {
  /** Its type; `"message"` if the stream gives none. */
  event: string;
  data: string;
  /** The last event ID when the event was complete. */
  id: string;
  /** The reconnection time that the event's block sets, in milliseconds; null if it sets none. */
  retry: number | null;
}

export interface ParserOptions {
  /** The last event ID that is known before the stream begins. Default: `""`. */
  lastEventId?: string;
  /** The most characters (UTF-16 code units) that are held for one event. Default: 64 Mi. */
  maxEventSize?: number;
  /** Called with what follows the colon of each comment. */
  onComment?: (comment: string) => void;
}

export interface Parser {
  /**
   * Takes bytes of a stream, cut anywhere, and calls `onEvent` for each event that they complete.
   *
   * Throws an `SSEError` of the kind `"too-large"` if an event outgrows `maxEventSize`; the events before it
   * are given first, and every later call throws it again.
   */
  push(chunk: Uint8Array | ArrayBuffer): void;
  readonly lastEventId: string;
  /** The latest reconnection time of the stream, in milliseconds; null if it gave none. */
  readonly retry: number | null;
}

/** Makes a parser of one event stream, as the WHATWG HTML standard words it. */
export function createParser(onEvent: (event: ServerSentEvent) => void, options?: ParserOptions): Parser;

/**
 * Why a connection failed:
 *
 * - `"status"`: the HTTP status is neither 200 nor 204; `status`, `response` and `body` are set.
 * - `"content-type"`: the response is not an event stream; `response` is set.
 * - `"server"`: the stream brought an event `error`; `event` and `body` are set.
 * - `"lost"`: the connection was lost, and is not tried again; `cause` is what `fetch()` threw, if anything.
 * - `"too-large"`: an event is larger than `maxEventSize`.
 */
export type SSEErrorKind = "status" | "content-type" | "server" | "lost" | "too-large";

export class SSEError extends Error {
  name: "SSEError";
  kind: SSEErrorKind;
  response?: Response;
  status?: number;
  /** What the server sent: parsed if it is JSON, text otherwise. */
  body?: unknown;
  event?: ServerSentEvent;
  cause?: unknown;
}

/** What a server's event `gap` says: events were trimmed from its log, or lost. */
export interface Gap {
  reason: "trimmed" | "lost" | (string & {});
  /** How many events are missing; null if nobody knows. */
  missed: number | null;
}

export interface Reconnection {
  /** The milliseconds until the next attempt. */
  delay: number;
  /** How many attempts in a row have failed. */
  failures: number;
  /** Why; undefined if the server ended the stream without an event that says so. */
  error?: unknown;
}

/** The options of `connect()`; those of `fetch()`, such as `method`, `body` and `credentials`, are passed on. */
export interface ConnectOptions extends ParserOptions, Omit<RequestInit, "headers"> {
  /** The headers, or a function that is called before each request, for tokens that expire. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /** Ends the stream; the iteration then throws the signal's reason. `close()` ends it without an error. */
  signal?: AbortSignal | null;
  /**
   * Whether the request may be sent again after the connection was lost. Default: true for GET, HEAD and
   * PUT only, as a POST may run a prompt twice.
   */
  repeat?: boolean;
  /**
   * Where to read on, with GET, after a connection is lost that had been open: a URL, or a function of the
   * last event ID. For a POST that starts an answer.
   */
  resume?: string | URL | ((lastEventId: string) => string | URL);
  /** The milliseconds before the first attempt to connect again, until the server sets others. Default: 3000. */
  retry?: number;
  /** The bound in milliseconds up to which the waits of failing attempts double. Default: 60,000. */
  maxRetry?: number;
  /** How many attempts in a row may fail. Default: no limit. */
  attempts?: number;
  /** The milliseconds without a byte after which the connection counts as lost. Default: no limit. */
  idleTimeout?: number;
  /**
   * Whether an event ends the stream. It is not given out, but becomes the connection's `end`. Default: those
   * of the types `end` and `done`, and those whose data is `[DONE]`.
   */
  isEnd?: (event: ServerSentEvent) => boolean;
  /** Called when a response has begun that is an event stream. */
  onOpen?: (response: Response) => void;
  /** Called with what an event `gap` says; without it, such events are given out like others. */
  onGap?: (gap: Gap, event: ServerSentEvent) => void;
  /** Called before each wait. */
  onRetry?: (reconnection: Reconnection) => void;
  /** Used in the place of `fetch`. */
  fetch?: typeof fetch;
}

/** The events of a URL. The request is sent when the iteration begins. */
export interface Connection extends AsyncIterable<ServerSentEvent> {
  /** One loop at a time: a second one throws. A later one goes on after the last event. */
  [Symbol.asyncIterator](): AsyncGenerator<ServerSentEvent, void, undefined>;
  /** The ID of the last event that was given out: what to store for the next `connect()`. */
  readonly lastEventId: string;
  /** The event that ended the stream; null before that, and if it ended without one. */
  readonly end: ServerSentEvent | null;
  /** Ends the iteration without an error. */
  close(): void;
}

/**
 * Reads the events of a URL over `fetch()`, and connects again with `Last-Event-ID` after a connection is lost.
 *
 * The iteration ends at an event that ends the stream, at the status 204 and at `close()`, and if a request that
 * must not be repeated comes to its end. It throws an `SSEError` for an event `error`, another status, another
 * content type, and a connection that is lost for good. After the first response that was an event stream, the
 * status 429 and those from 500 are waited out, for as long as `Retry-After` says.
 */
export function connect(url: string | URL, options?: ConnectOptions): Connection;
