// The two ways in which a browser reads an event stream: fetch, which can send a question and be cancelled, and
// EventSource, which reconnects by itself.

import { EventStreamParser } from "./parser.js";

const element = (id) => document.getElementById(id);
const form = element("form");
const answer = element("answer");

const recording = await (await fetch("recording.json")).json();
element("recording").textContent =
  `${recording.name}: ${recording.events.toLocaleString()} events, ` +
  `${recording.seconds.toFixed(1)} s${recording.loops ? ", over and over" : ""}.`;
element("base-url").textContent = new URL("v1", location.href);

/** One answer, from the question to its end, read with `fetch` or an `EventSource`. */
class Answer {
  constructor() {
    this.started = performance.now();
    this.tokens = 0;
    this.firstAt = null;
    this.lastAt = null;
    answer.replaceChildren();
    answer.setAttribute("aria-busy", "true");
    element("log").replaceChildren();
    element("ask").disabled = true;
    element("stop").disabled = false;
    this.timer = setInterval(() => this.showFigures(), 100);
    this.showFigures();
  }

  say(text) {
    if (!text) return;
    const now = performance.now();
    this.firstAt ??= now;
    this.lastAt = now;
    this.tokens += 1;
    const atEnd = answer.scrollHeight - answer.scrollTop - answer.clientHeight < 8;
    answer.append(text);
    if (atEnd) answer.scrollTop = answer.scrollHeight;
  }

  log(text, kind = "") {
    const line = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = `${((performance.now() - this.started) / 1000).toFixed(2)} s`;
    const words = document.createElement("span");
    words.className = kind;
    words.textContent = text;
    line.append(time, words);
    element("log").append(line);
  }

  show(state) {
    element("state").textContent = state;
  }

  showFigures() {
    element("tokens").textContent = this.tokens.toLocaleString();
    if (this.firstAt === null) {
      element("first").textContent = element("rate").textContent = "–";
      return;
    }
    element("first").textContent = `${Math.round(this.firstAt - this.started)} ms`;
    const seconds = (this.lastAt - this.firstAt) / 1000;
    if (seconds > 0) element("rate").textContent = (this.tokens / seconds).toFixed(1);
  }

  end(state, kind = "") {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.timer);
    this.showFigures();
    this.show(state);
    this.log(state, kind);
    answer.setAttribute("aria-busy", "false");
    element("ask").disabled = false;
    element("stop").disabled = true;
  }
}

/** The text that an event adds, for the streams of OpenAI and Anthropic; of others all of the data. */
function textOf(data) {
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    return `${data}\n`;
  }
  if (Array.isArray(value?.choices)) {
    const delta = value.choices[0]?.delta;
    return delta?.content ?? delta?.reasoning_content ?? value.choices[0]?.text ?? "";
  }
  if (value?.type === "content_block_delta") return value.delta?.text ?? value.delta?.thinking ?? "";
  if (value?.type === "response.output_text.delta") return value.delta;
  return typeof value?.type === "string" ? "" : `${data}\n`;
}

function endpoint(path) {
  const url = new URL(path, location.href);
  if (element("breaks").checked) url.searchParams.set("fail_after", element("fail-after").value);
  return url;
}

async function readWithFetch(current) {
  const controller = new AbortController();
  current.stop = () => {
    current.end("Stopped");
    controller.abort();
  };
  let events = 0;
  try {
    const response = await fetch(endpoint("v1/chat/completions"), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        model: "recorded",
        stream: true,
        messages: [{ role: "user", content: element("question").value }],
      }),
      signal: controller.signal,
    });
    current.show("Streaming");
    current.log(`Connected: HTTP status ${response.status}`);
    const parser = new EventStreamParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const event of parser.push(value)) {
        events += 1;
        if (event.data === "[DONE]") {
          current.end("Complete", "good");
          return;
        }
        current.say(textOf(event.data));
      }
    }
    current.end("Complete", "good");
  } catch {
    current.end(`Connection lost after ${events} events`, "bad");
  }
}

function readWithEventSource(current) {
  const source = new EventSource(endpoint("events"));
  let lastId = "";
  current.stop = () => {
    source.close();
    current.end("Stopped");
  };
  source.onopen = () => {
    current.show("Streaming");
    current.log(lastId ? `Reconnected, to go on after event ${lastId}` : "Connected", lastId ? "good" : "");
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      current.end("The server refused", "bad");
    } else {
      current.show("Reconnecting");
      current.log(`Connection lost after event ${lastId || "0"}; the browser will reconnect`, "bad");
    }
  };
  const listen = (event) => {
    lastId = event.lastEventId;
    current.say(textOf(event.data));
  };
  for (const type of recording.types) source.addEventListener(type, listen);
  source.addEventListener("done", () => {
    source.close();
    current.end("Complete", "good");
  });
}

let current = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (current && !current.ended) return;
  current = new Answer();
  current.show("Connecting");
  element("asked").hidden = false;
  element("asked").textContent = element("question").value;
  if (form.elements.client.value === "fetch") readWithFetch(current);
  else readWithEventSource(current);
});

element("stop").addEventListener("click", () => {
  current?.stop();
  element("ask").focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && current && !current.ended) current.stop();
});
