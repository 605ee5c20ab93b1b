import { useCallback, useEffect, useRef, useState } from "react";
import { connect } from "ssejet";
import { newMessage, withChunk } from "./message.js";

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
        onGap: () => (message = withChunk(message, { type: "data-gap" })),
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
        message = { ...message, isDone: true, wasStopped: reasonOf(events.end) === "stopped" };
      } catch (thrown) {
        message = { ...message, isDone: true };
        setError(thrown);
      }
      // Another follow() may have begun, or the component may be gone.
      if (connection.current !== events) return;
      setMessages((all) => [...all.filter((each) => each.id !== key), message]);
      setStatus("ready");
    },
    [api],
  );

  const send = useCallback(
    (text) => {
      const key = crypto.randomUUID();
      const asked = [...messages, { id: `${key}-question`, role: "user", parts: [{ type: "text", id: "0", text }] }];
      setMessages([...asked, newMessage(key)]);
      const body = JSON.stringify({ messages: asked.map(({ role, parts }) => ({ role, content: textOf(parts) })) });
      follow(key, { method: "POST", body, headers: { "content-type": "application/json" }, repeat: true });
    },
    [messages, follow],
  );

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

  return { messages, status, error, send, stop };
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
