import { useCallback, useEffect, useRef, useState } from "react";
import { connect } from "ssejet";
import { newMessage, withChunk } from "./message.js";

// The reasons of a gap after which the whole answer follows.
const FROM_THE_BEGINNING = new Set(["restarted", "unknown-id"]);

/**
 * A chat whose answers survive a lost connection and a reload.
 *
 * The browser chooses the key of an answer: the server runs a prompt once, however often its request comes. The key
 * cannot be guessed, and the tab remembers it. After a reload the answer is read again from its beginning; after a
 * lost connection, from the last event on.
 *
 * `status` is "ready", "waiting" (for the first event), "streaming" or "reconnecting".
 */
export function useChat({ api = "/answers", storage = sessionStorage } = {}) {
  const [messages, setMessages] = useState(() => JSON.parse(storage.getItem("chat") ?? "[]"));
  const [status, setStatus] = useState("ready");
  const [error, setError] = useState(null);
  const connection = useRef(null);

  const follow = useCallback(
    async (key, options) => {
      connection.current?.close();
      let message = newMessage(key);
      const events = connect(`${api}/${key}`, {
        // Our servers send a comment every 15 seconds.
        idleTimeout: 45_000,
        retry: 500,
        resume: `${api}/${key}`,
        onOpen: () => setStatus("streaming"),
        onRetry: () => setStatus("reconnecting"),
        onGap: ({ reason }) =>
          (message = FROM_THE_BEGINNING.has(reason) ? newMessage(key) : withChunk(message, { type: "data-gap" })),
        // The log has an end of its own, after the protocol's.
        isEnd: ({ event }) => event === "end",
        ...options,
      });
      connection.current = events;
      setStatus("waiting");
      setError(null);
      try {
        for await (const event of events) {
          if (event.data === "[DONE]") continue;
          message = withChunk(message, JSON.parse(event.data));
          setMessages((all) => [...all.filter((each) => each.id !== key), message]);
        }
        const reason = reasonOf(events.end);
        if (reason === "missing") message = { ...message, error: "The server no longer has this answer." };
        message = { ...message, isDone: true, wasStopped: reason === "stopped" };
      } catch (thrown) {
        message = { ...message, isDone: true, error: thrown.message };
      }
      // Another follow() may have begun, or the component may be gone.
      if (connection.current !== events) return;
      setMessages((all) => [...all.filter((each) => each.id !== key), message]);
      setStatus("ready");
    },
    [api],
  );

  const ask = useCallback(
    (asked) => {
      const key = crypto.randomUUID();
      setMessages([...asked, newMessage(key)]);
      const body = JSON.stringify({ messages: asked.map(({ role, parts }) => ({ role, content: textOf(parts) })) });
      follow(key, { method: "POST", body, headers: { "content-type": "application/json" }, repeat: true });
    },
    [follow],
  );

  const send = useCallback(
    (text) => {
      const question = { id: crypto.randomUUID(), role: "user", parts: [{ type: "text", id: "0", text }] };
      ask([...messages, question]);
    },
    [messages, ask],
  );

  /** Asks the last question again, in the place of an answer that failed. */
  const retry = useCallback(() => ask(messages.slice(0, -1)), [messages, ask]);

  const stop = useCallback(() => {
    const key = messages.at(-1)?.id;
    if (key) fetch(`${api}/${key}`, { method: "DELETE" }).catch(setError);
  }, [api, messages]);

  // What is complete is kept by the tab; what is not is read from the server after a reload.
  useEffect(() => {
    const kept = messages.map((message) =>
      message.role === "assistant" && !message.isDone ? newMessage(message.id) : message,
    );
    storage.setItem("chat", JSON.stringify(kept));
  }, [messages, storage]);

  useEffect(() => {
    const last = messages.at(-1);
    if (last?.role === "assistant" && !last.isDone) follow(last.id);
    return () => {
      connection.current?.close();
      connection.current = null;
    };
  }, []);

  return { messages, status, error, send, stop, retry };
}

export const textOf = (parts) =>
  parts.filter((part) => part.type === "text").map((part) => part.text).join("");

function reasonOf(end) {
  try {
    return JSON.parse(end.data).reason;
  } catch {
    return null;
  }
}
