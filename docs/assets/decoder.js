// The page "Try the decoder": shows the events of the pasted stream.
import { createParser } from "./ssejet.js";

const input = document.querySelector("#decoder-input");
const cut = document.querySelector("#decoder-cut");
const state = document.querySelector("#decoder-state");
const output = document.querySelector("#decoder-output");

function show() {
  const rows = [];
  let comments = 0;
  const parser = createParser(
    ({ event, data, id, retry }) => {
      const row = document.createElement("tr");
      for (const value of [event, data, id, retry ?? ""]) {
        const code = document.createElement("code");
        code.textContent = value;
        row.insertCell().append(code);
      }
      rows.push(row);
    },
    { onComment: () => (comments += 1) },
  );
  const text = input.value.replaceAll("\\r", "\r").replaceAll("\\0", "\0");
  const bytes = new TextEncoder().encode(text);
  const step = cut.checked ? 1 : bytes.length || 1;
  for (let at = 0; at < bytes.length; at += step) parser.push(bytes.subarray(at, at + step));
  output.replaceChildren(...rows);
  const retry = parser.retry === null ? "not set" : `${parser.retry} ms`;
  state.textContent = `${count(rows.length, "event")}, ${count(comments, "comment")}; last event ID "${parser.lastEventId}", retry ${retry}`;
}

function count(number, name) {
  return `${number} ${name}${number === 1 ? "" : "s"}`;
}

input.addEventListener("input", show);
cut.addEventListener("input", show);
show();
