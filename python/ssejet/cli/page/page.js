// The chat of one address, in any number of tabs. One log of the hub has its questions, and each answer has its own
// log. A tab follows these logs, and resumes after a lost connection.

import { connect } from "./ssejet.js";

const element = (id) => document.getElementById(id);
const form = element("form");

// The server sends a comment after 15 seconds of silence. Only `end` ends an answer: the recording itself may have an
// event `done` in the middle.
const isEnd = ({ event }) => event === "end";
const CONNECTION = { retry: 500, maxRetry: 5000, idleTimeout: 45_000, isEnd };

// The types `end` and `gap` are the hub's, so it renames events of the recording that have them.
const typeInLog = (type) => (type === "end" || type === "gap" ? `item-${type}` : type);

const LONGEST_LOG = 100;

const STATES = { finished: "Complete", stopped: "Stopped", failed: "Failed", abandoned: "Failed" };

const recording = await (await fetch("recording.json")).json();
element("recording").textContent =
  `${recording.name}: ${recording.events.toLocaleString()} events, ` +
  `${recording.seconds.toFixed(1)} s${recording.loops ? ", over and over" : ""}.`;
element("base-url").textContent = new URL("v1", location.href);

/** A question and its answer, with the connection that reads it. */
class Exchange {
  constructor({ answer, text, process }) {
    this.key = answer;
    this.text = text;
    this.process = process;
    this.lastEventId = "";
    this.tokens = 0;
    this.log = [];
    this.state = "Connecting";
    this.isRunning = true;
    this.began = performance.now();
    this.wasAskedHere = false;
    this.firstAt = this.lastAt = null;

    this.article = document.createElement("article");
    const asked = paragraph("asked", text);
    this.output = paragraph("answer", "");
    this.output.setAttribute("aria-busy", "true");
    this.note = paragraph("note", "");
    this.note.hidden = true;
    this.article.append(asked, this.output, this.note);
  }

  say(text) {
    if (!text) return;
    this.lastAt = performance.now();
    this.firstAt ??= this.lastAt;
    this.tokens += 1;
    keepAtEnd(() => this.output.append(text));
  }

  tell(text, kind = "") {
    this.log.push({ at: performance.now() - this.began, text, kind });
    if (this.log.length > LONGEST_LOG) this.log.shift();
    showLatest();
  }

  show(state) {
    this.state = state;
    showLatest();
  }

  /** The answer begins again: what was shown is not its beginning. */
  clear() {
    this.output.textContent = "";
    this.tokens = 0;
  }

  end(state, kind = "", note = "") {
    if (!this.isRunning) return;
    this.isRunning = false;
    this.close();
    this.state = state;
    this.tell(note || state, kind);
    this.output.setAttribute("aria-busy", "false");
    if (kind === "bad") {
      const button = document.createElement("button");
      button.className = "plain";
      button.textContent = "Try again";
      button.addEventListener("click", () => ask(this.text, this.key));
      this.tellBelow(note, " ", button);
      this.note.classList.add("bad");
    } else if (state !== "Complete") this.tellBelow(state);
    showLatest();
  }

  tellBelow(...nodes) {
    keepAtEnd(() => {
      this.note.replaceChildren(...nodes);
      this.note.hidden = false;
    });
  }

  /** Reads the answer from where it was. */
  follow() {
    if (!this.isRunning) return;
    if (form.elements.client.value === "fetch") this.readWithFetch();
    else this.readWithEventSource();
  }

  close() {
    this.connection?.close();
    this.connection = null;
  }

  take(data) {
    this.say(textOf(data));
  }

  takeGap(gap) {
    if (gap?.reason === "restarted" || gap?.reason === "unknown-id") this.clear();
    else if (gap?.reason !== "missing") this.tell(`${gap?.missed ?? "Some"} events are no longer kept`, "bad");
  }

  takeEnd(data) {
    const reason = jsonOf(data)?.reason;
    if (reason === "missing") this.end("Failed", "bad", "The server no longer has this answer.");
    else this.end(STATES[reason] ?? "Complete", reason === "finished" ? "good" : "");
  }

  fail(body) {
    this.end("Failed", "bad", body?.error?.message ?? body?.message ?? "The answer failed.");
  }

  async readWithFetch() {
    const connection = connect(answerUrl(this.key), {
      ...CONNECTION,
      lastEventId: this.lastEventId,
      onOpen: (response) => {
        const process = response.headers.get("x-process");
        const where = this.lastEventId ? `, to go on after event ${shortId(this.lastEventId)}` : "";
        this.tell(`Connected to process ${process}${where}`, where && "good");
        this.show("Streaming");
      },
      onRetry: ({ delay }) => {
        this.tell(`Connection lost after event ${shortId(this.lastEventId)}; again in ${delay.toFixed()} ms`, "bad");
        this.show("Reconnecting");
      },
      onGap: (gap) => this.takeGap(gap),
    });
    this.connection = connection;
    try {
      for await (const event of connection) {
        this.lastEventId = event.id;
        this.take(event.data);
      }
      if (this.connection === connection) this.takeEnd(connection.end?.data ?? "");
    } catch (error) {
      if (this.connection !== connection) return;
      if (error.kind === "server") this.fail(error.body);
      else this.end("Failed", "bad", error.status === 404 ? "The server no longer has this answer." : error.message);
    }
  }

  readWithEventSource() {
    // It takes no id to begin with, so it reads the answer from its beginning.
    this.clear();
    const source = new EventSource(answerUrl(this.key));
    this.connection = source;
    this.lastEventId = "";
    source.onopen = () => {
      const where = this.lastEventId ? `Reconnected, to go on after event ${shortId(this.lastEventId)}` : "Connected";
      this.tell(where, this.lastEventId && "good");
      this.show("Streaming");
    };
    source.onerror = (event) => {
      if (event.data) this.fail(jsonOf(event.data));
      else if (source.readyState === EventSource.CLOSED) this.end("Failed", "bad", "The server refused.");
      else {
        this.tell(`Connection lost after event ${shortId(this.lastEventId)}; the browser will reconnect`, "bad");
        this.show("Reconnecting");
      }
    };
    const listen = (event) => {
      this.lastEventId = event.lastEventId;
      this.take(event.data);
    };
    for (const type of recording.types) if (type !== "error") source.addEventListener(typeInLog(type), listen);
    source.addEventListener("gap", ({ data }) => this.takeGap(jsonOf(data)));
    source.addEventListener("end", ({ data }) => this.takeEnd(data));
  }
}

/** The exchanges of this chat, by the key of the answer. */
const exchanges = new Map();
let latest = null;
let chat = new URLSearchParams(location.search).get("chat") ?? localStorage.getItem("chat") ?? crypto.randomUUID();
let questions = null;
let lastQuestionId = "";

function remember() {
  localStorage.setItem("chat", chat);
  history.replaceState(null, "", `?chat=${encodeURIComponent(chat)}`);
}

function addQuestion(question) {
  const known = exchanges.get(question.answer);
  if (known) return known;
  const exchange = new Exchange(question);
  keepAtEnd(() => {
    const replaced = exchanges.get(question.replaces);
    // A tab that asked the same has replaced it already.
    if (replaced?.article.isConnected) {
      replaced.close();
      replaced.isRunning = false;
      replaced.article.replaceWith(exchange.article);
    } else element("chat").append(exchange.article);
  });
  exchanges.set(question.answer, exchange);
  latest = exchange;
  exchange.tell(`Process ${question.process} makes the answer`);
  exchange.follow();
  return exchange;
}

async function followQuestions() {
  for (;;) {
    const connection = connect(`chats/${encodeURIComponent(chat)}/events`, {
      ...CONNECTION,
      lastEventId: lastQuestionId,
      onOpen: () => complain(""),
      onRetry: () => complain("The server does not answer. This page tries again."),
      onGap: () => {},
    });
    questions = connection;
    try {
      for await (const { id, event, data } of connection) {
        lastQuestionId = id;
        if (event === "question") addQuestion(jsonOf(data));
      }
      // The log has no end, unless the server has lost it.
      lastQuestionId = "";
    } catch (error) {
      complain(`${error.message} This page tries again.`);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    if (questions !== connection) return;
  }
}

function startChat(name) {
  pause();
  chat = name;
  lastQuestionId = "";
  latest = null;
  exchanges.clear();
  element("chat").replaceChildren();
  remember();
  showLatest();
  followQuestions();
}

async function ask(text, replaces = null) {
  complain("");
  const answer = crypto.randomUUID();
  element("ask").disabled = true;
  try {
    const response = await fetch(`chats/${encodeURIComponent(chat)}/questions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ answer, text, replaces }),
    });
    if (!response.ok) throw Error(await response.text());
    addQuestion(await response.json()).wasAskedHere = true;
  } catch (error) {
    complain(`The question was not sent: ${error.message}`);
  }
  showLatest();
}

/** Asks the producers to stop, wherever they run. Every tab learns of it from the log. */
function stop() {
  for (const exchange of exchanges.values()) {
    if (!exchange.isRunning) continue;
    fetch(`answers/${exchange.key}/stop`, { method: "POST" }).catch(() => complain("The server does not answer."));
  }
}

// A browser has few connections for one server: tabs that nobody sees leave them to others.
function pause() {
  const connection = questions;
  questions = null;
  connection?.close();
  for (const exchange of exchanges.values()) exchange.close();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) pause();
  else if (!questions) {
    followQuestions();
    for (const exchange of exchanges.values()) exchange.follow();
  }
});

function showLatest() {
  const isRunning = [...exchanges.values()].some((exchange) => exchange.isRunning);
  element("ask").disabled = isRunning;
  element("stop").disabled = !isRunning;
  element("empty").hidden = exchanges.size > 0;
  element("state").textContent = latest?.state ?? "Ready";
  element("log").replaceChildren(...(latest?.log ?? []).map(logLine));
  showFigures();
}

function showFigures() {
  element("tokens").textContent = (latest?.tokens ?? 0).toLocaleString();
  const { firstAt, lastAt, began, tokens, wasAskedHere } = latest ?? {};
  element("first").textContent = firstAt && wasAskedHere ? `${Math.round(firstAt - began)} ms` : "–";
  const seconds = (lastAt - firstAt) / 1000;
  element("rate").textContent = seconds > 0 && wasAskedHere ? (tokens / seconds).toFixed(1) : "–";
}

function logLine({ at, text, kind }) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = `${(at / 1000).toFixed(2)} s`;
  const words = document.createElement("span");
  words.className = kind;
  words.textContent = text;
  line.append(time, words);
  return line;
}

/** The text that an event adds, for the streams of OpenAI and Anthropic; of others all of the data. */
function textOf(data) {
  const value = jsonOf(data);
  if (value === undefined) return `${data}\n`;
  if (Array.isArray(value?.choices)) {
    const delta = value.choices[0]?.delta;
    return delta?.content ?? delta?.reasoning_content ?? value.choices[0]?.text ?? "";
  }
  if (value?.type === "content_block_delta") return value.delta?.text ?? value.delta?.thinking ?? "";
  if (value?.type === "response.output_text.delta") return value.delta;
  return typeof value?.type === "string" ? "" : `${data}\n`;
}

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function answerUrl(key) {
  const url = new URL(`answers/${key}/events`, location.href);
  if (element("breaks").checked) url.searchParams.set("fail_after", element("fail-after").value);
  return url;
}

const shortId = (id) => id.split("-").at(-1) || "0";

function paragraph(className, text) {
  const made = document.createElement("div");
  made.className = className;
  made.textContent = text;
  return made;
}

/** A reader who has scrolled up stays there. */
function keepAtEnd(change) {
  const log = element("chat");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  change();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function complain(text) {
  element("problem").textContent = text;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("question").value.trim();
  if (text && !element("ask").disabled) ask(text);
});
element("stop").addEventListener("click", () => {
  stop();
  element("question").focus();
});
element("new").addEventListener("click", () => startChat(crypto.randomUUID()));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});
setInterval(() => latest?.isRunning && showFigures(), 100);

remember();
showLatest();
followQuestions();
