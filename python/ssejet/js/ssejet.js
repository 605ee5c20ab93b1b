/** Server-sent events for browsers and Node: a parser, and a connection over fetch() that resumes. */

export class SSEError extends Error {
  name = "SSEError";

  constructor(kind, message, fields) {
    super(message);
    Object.assign(this, { kind, ...fields });
  }
}

export function createParser(onEvent, { lastEventId = "", maxEventSize = 2 ** 26, onComment } = {}) {
  // Some versions of Node strip a second byte order mark too, so the first one is stripped here.
  const decoder = new TextDecoder("utf8", { ignoreBOM: true });
  let reconnectionTime = null;
  let failure;
  // The character that does not count if it comes next: a byte order mark, then the LF after a CR.
  let skipped = "\ufeff";
  // The unfinished line. If it cannot become a known field, its end is dropped.
  let rest = "";
  let drops;
  const known = ["data:", "event:", "id:", "retry:", onComment ? ":" : "id:"];
  // The unfinished event.
  let event = "";
  let data;
  let id;
  let retry = null;

  // Checks what is held for one event. The name and value of a line are needed only near the limit.
  const check = (line) => {
    const left = maxEventSize - event.length - (id ?? "").length - (data ?? "").length;
    const [name, value] = line.length > left ? split(line) : [];
    if (left < 0 || value?.length + (name === "data" && data != null) > left)
      throw (failure = new SSEError("too-large", `an event exceeds maxEventSize: ${maxEventSize}`));
  };

  // Looks only at the new piece, so that a long line costs the same in many pieces as in one.
  const append = (piece) => {
    if (drops) return;
    const isNew = rest.length < 6;
    rest += piece;
    if (isNew) {
      const head = rest.slice(0, 6);
      drops = !known.some((start) => start.startsWith(head) || head.startsWith(start));
      if (drops) rest = head;
    }
    if (!drops) check(rest);
  };

  return {
    push(chunk) {
      if (failure) throw failure;
      let text = decoder.decode(chunk, { stream: true });
      if (!text) return;
      if (text[0] === skipped) text = text.slice(1);
      skipped = text.endsWith("\r") && "\n";
      const lines = text.split(/\r\n|\n|\r/);
      const last = lines.pop();
      for (const piece of lines) {
        append(piece);
        const line = rest;
        rest = "";
        drops = false;
        if (line) {
          const [name, value = ""] = split(line);
          if (!name) onComment?.(value);
          else if (name === "data") data = data == null ? value : `${data}\n${value}`;
          else if (name === "event") event = value;
          else if (name === "id" && !value.includes("\0")) id = value;
          else if (name === "retry" && /^\d+$/.test(value)) reconnectionTime = retry = Math.min(+value, 2 ** 63);
          check("");
        } else {
          lastEventId = id ?? lastEventId;
          const whole = { event: event || "message", data, id: lastEventId, retry };
          event = "";
          data = id = retry = null;
          if (whole.data != null) onEvent(whole);
        }
      }
      append(last);
    },
    get lastEventId() {
      return lastEventId;
    },
    get retry() {
      return reconnectionTime;
    },
  };
}

// The name of a line, and its value if it has a colon. A space is part of a comment.
function split(line) {
  const colon = line.indexOf(":");
  if (colon < 0) return [line];
  return [line.slice(0, colon), line.slice(colon + (colon && line[colon + 1] === " " ? 2 : 1))];
}

export function connect(url, options = {}) {
  const closing = new AbortController();
  let {
    signal,
    resume,
    idleTimeout,
    onGap,
    isEnd = ({ event, data }) => /^(end|done)$/.test(event) || data === "[DONE]",
    retry = 3000,
    repeat = /^(get|head|put)$/i.test(options.method ?? "get"),
  } = options;
  const quit = AbortSignal.any([closing.signal, signal ?? closing.signal]);
  let wasOpen;
  let failures = 0;
  let isRead;
  const connection = {
    lastEventId: options.lastEventId ?? "",
    end: null,
    close: () => closing.abort(),
    async *[Symbol.asyncIterator]() {
      // Two readers would overwrite each other's lastEventId.
      if (isRead) throw Error("already read");
      while ((isRead = !quit.aborted && !connection.end)) {
        const attempt = new AbortController();
        let failure;
        let delay = 0;
        // Returns nothing if the connection fails. The time that the application takes for an event does not count.
        const wait = async (promise, limit = idleTimeout) => {
          const timer = limit && setTimeout(() => attempt.abort(Error("idleTimeout")), limit);
          try {
            return await promise;
          } catch (cause) {
            failure = cause;
          } finally {
            clearTimeout(timer);
          }
        };
        try {
          const { lastEventId } = connection;
          const headers = new Headers(options.headers?.call ? await options.headers() : options.headers);
          headers.set("accept", "text/event-stream");
          // The header gets the bytes of the id's UTF-8, as EventSource sends them; Headers takes a character for each.
          if (lastEventId) headers.set("last-event-id", unescape(encodeURIComponent(lastEventId)));
          const init = { cache: "no-store", ...options, headers, signal: AbortSignal.any([attempt.signal, quit]) };
          if (resume && wasOpen) {
            headers.delete("content-type");
            init.method = "GET";
            init.body = null;
            url = resume.call ? resume(lastEventId) : resume;
          }
          // A mistake in the request is thrown here, and not taken for a lost connection.
          const response = await wait((options.fetch ?? fetch)(new Request(url, init)));
          const status = response?.status;
          if (status === 204) return;
          const reader = response?.body?.getReader();
          const type = response?.headers.get("content-type");
          if (status === 200 && /^text\/event-stream\s*(;|$)/i.test(type)) {
            wasOpen = true;
            repeat ||= resume;
            options.onOpen?.(response);
            const events = [];
            const parser = createParser((event) => events.push(event), { ...options, lastEventId });
            for (let step; (step = await wait(reader.read())) && !step.done; ) {
              failures = 0;
              let error;
              try {
                parser.push(step.value);
              } catch (cause) {
                error = cause;
              }
              retry = parser.retry ?? retry;
              for (const event of events.splice(0)) {
                const { data, event: type } = event;
                connection.lastEventId = event.id;
                if (isEnd(event)) {
                  connection.end = event;
                  return;
                }
                if (type === "error") throw serverError("server", "", data, { event });
                if (type === "gap" && onGap) onGap(jsonOf(data), event);
                else yield event;
              }
              if (error) throw error;
              // A block without data can have an id.
              connection.lastEventId = parser.lastEventId;
            }
          } else if (response) {
            // The text is for people, so nobody waits long for it.
            const text = new TextDecoder().decode((await wait(reader?.read(), 2000))?.value).slice(0, 1000);
            const error =
              status === 200
                ? new SSEError("content-type", `not an event stream but ${type}: ${text}`, { response })
                : serverError("status", `HTTP status ${status}: `, text, { response, status });
            // A proxy or server that restarts answers so for a while.
            if (!wasOpen || (status !== 429 && status < 500)) throw error;
            failure = error;
            const after = response.headers.get("retry-after");
            delay = after * 1000 || Date.parse(after) - Date.now() || 0;
          }
        } finally {
          isRead = false;
          attempt.abort();
        }
        if (quit.aborted || !(repeat || failure)) break;
        // Node's fetch() refuses an id with control characters, however often it is tried.
        if (/_INVALID_ARG/.test(failure?.cause?.code)) throw failure;
        if (!repeat || ++failures >= options.attempts) {
          throw new SSEError(
            "lost",
            "the connection was lost" + (repeat ? ` ${failures} times in a row` : ": pass repeat or resume"),
            { cause: failure },
          );
        }
        // A server that asks for no wait does not get thousands of requests a second. A timer that is set for
        // 2 ** 31 ms or more does not wait at all.
        const bound = Math.min(Math.max(retry, 100) * Math.max(1.1, 2 ** failures / 2), options.maxRetry ?? 6e4);
        delay = Math.min(Math.max(delay, retry + Math.random() * Math.max(0, bound - retry)), 2e9);
        let wake;
        let timer;
        // A phone that has found a network again does not wait.
        const listen = (verb) => globalThis[verb + "EventListener"]?.("online", wake);
        await new Promise((resolve) => {
          timer = setTimeout((wake = resolve), delay);
          quit.onabort = wake;
          listen("add");
          options.onRetry?.({ delay, failures, error: failure });
          isRead = true;
        });
        clearTimeout(timer);
        listen("remove");
      }
      if (!closing.signal.aborted) signal?.throwIfAborted();
    },
  };
  return connection;
}

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function serverError(kind, prefix, text, fields) {
  const body = jsonOf(text);
  return new SSEError(kind, prefix + (body?.error?.message ?? body?.message ?? text), { body: body ?? text, ...fields });
}
