import { useEffect, useRef, useState } from "react";
import { useChat } from "./useChat.js";

const STATUS = { waiting: "Waiting…", streaming: "Answering…", reconnecting: "Connection lost. Reconnecting…" };
const TOOL_STATE = { input: "writing the call", running: "running", done: "done", failed: "failed" };

export function Chat() {
  const { messages, status, error, send, stop, retry } = useChat();
  const log = useRef(null);
  const isAtEnd = useRef(true);
  // A reader who has scrolled up stays there.
  const onScroll = ({ target }) => (isAtEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 40);
  useEffect(() => {
    if (isAtEnd.current) log.current.scrollTop = log.current.scrollHeight;
  }, [messages]);
  return (
    <main>
      <h1>Chat</h1>
      <div ref={log} onScroll={onScroll} role="log" aria-label="Messages" aria-busy={status !== "ready"} tabIndex={0}>
        {messages.length === 0 && <p className="hint">Ask something. Reload the page in the middle of the answer.</p>}
        {messages.map((message) => (
          <Message key={message.id} message={message} />
        ))}
        {status === "ready" && messages.at(-1)?.error && (
          <button type="button" className="plain" onClick={retry}>
            Try again
          </button>
        )}
      </div>
      {error && <p role="alert">{error.message}</p>}
      <Composer isBusy={status !== "ready"} status={STATUS[status] ?? ""} onSend={send} onStop={stop} />
    </main>
  );
}

function Message({ message }) {
  const { role, parts, usage, wasStopped, isIncomplete } = message;
  const sources = parts.filter((part) => part.type === "source");
  return (
    <article className={role} aria-label={role === "user" ? "You" : "Answer"}>
      {parts.map((part) => (
        <Part key={part.id} part={part} />
      ))}
      {sources.length > 0 && (
        <ul className="sources">
          {sources.map(({ id, url, title }) => (
            <li key={id}>
              <a href={url}>{title ?? url}</a>
            </li>
          ))}
        </ul>
      )}
      {isIncomplete && <p className="note">Some of this answer was lost.</p>}
      {message.error && (
        <p className="note failed" role="alert">
          {message.error}
        </p>
      )}
      {wasStopped && <p className="note">Stopped</p>}
      {usage && <p className="note">{usage.totalTokens} tokens</p>}
    </article>
  );
}

function Part({ part }) {
  if (part.type === "text") return <p className="text">{part.text}</p>;
  if (part.type === "reasoning")
    return part.text ? (
      <details open={!part.isDone}>
        <summary>{part.isDone ? "Thought" : "Thinking…"}</summary>
        <p className="text">{part.text}</p>
      </details>
    ) : null;
  if (part.type === "tool")
    return (
      <section className={`tool ${part.state}`} aria-label={`Tool ${part.name}`}>
        <header>
          <code>{part.name}</code> <span>{TOOL_STATE[part.state]}</span>
        </header>
        <pre>{part.input}</pre>
        {part.output && <pre className="output">{part.output}</pre>}
      </section>
    );
  return null;
}

function Composer({ isBusy, status, onSend, onStop }) {
  const [text, setText] = useState("");
  const submit = (event) => {
    event?.preventDefault();
    if (!text.trim() || isBusy) return;
    onSend(text.trim());
    setText("");
  };
  return (
    <form onSubmit={submit}>
      <p role="status">{status}</p>
      <textarea
        aria-label="Question"
        rows="2"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing && submit(event)}
      />
      {isBusy ? (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      ) : (
        <button disabled={!text.trim()}>Send</button>
      )}
    </form>
  );
}
