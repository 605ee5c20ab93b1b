// Talks to a server with the AI SDK's own chat, through cuts of the connection and reloads, and prints each step.
import { text } from "node:stream/consumers";
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";

const { api, id, steps } = JSON.parse(await text(process.stdin));
const found = [];
let chat;
let error = null;
let finish = null;
let statuses = [];
let gave;

// A page that is loaded has the messages that were stored: all that it had.
function load() {
  const fetchAndNote = async (...request) => {
    const response = await fetch(...request);
    statuses.push(response.status);
    return response;
  };
  chat = new Chat({
    id,
    messages: structuredClone(chat?.messages ?? []),
    transport: new DefaultChatTransport({ api, fetch: fetchAndNote }),
    onFinish: ({ finishReason, isAbort, isDisconnect }) => (finish = { finishReason, isAbort, isDisconnect }),
    onError: (thrown) => (error = String(thrown.message)),
  });
}

load();
for (const step of steps) {
  [error, finish, statuses, gave] = [null, null, [], null];
  if (step === "ask") await chat.sendMessage({ text: "Who is there?" });
  else if (step === "resume") await chat.resumeStream();
  else if (step === "reload") load();
  else if (step === "cut") await fetch(new URL("/cut", api), { method: "POST" });
  else if (step === "tools") {
    // The page has run the tools of the last answer.
    for (const { type, toolCallId, state } of chat.messages.at(-1).parts)
      if (state === "input-available") await chat.addToolOutput({ tool: type.slice(5), toolCallId, output: 7 });
    await chat.sendMessage();
  }
  else if (step === "stop") {
    // Another page stops the answer while this one reads it.
    const reading = chat.sendMessage({ text: "Who is there?" });
    while (chat.messages.at(-1)?.role !== "assistant") await new Promise((resolve) => setTimeout(resolve, 5));
    await fetch(`${api}/${id}/stream`, { method: "DELETE" });
    await reading;
  }
  found.push(structuredClone({ messages: chat.messages, status: chat.status, error, finish, statuses }));
}
process.stdout.write(JSON.stringify(found));
process.exit();
