// Reads what a server sends with AG-UI's own agent, and prints the messages that it makes.
import { text } from "node:stream/consumers";
import { HttpAgent } from "@ag-ui/client";

const { url, question = "?" } = JSON.parse(await text(process.stdin));
const warnings = [];
console.warn = (...told) => warnings.push(told.map(String).join(" "));
console.log = console.warn;
console.error = console.warn;
const events = [];
let error = null;
const agent = new HttpAgent({ url, threadId: "thread" });
agent.messages = [{ id: "1", role: "user", content: question }];
try {
  await agent.runAgent({ runId: "run" }, { onEvent: ({ event }) => void events.push(event) });
} catch (thrown) {
  error = String(thrown.message);
}
process.stdout.write(JSON.stringify({ messages: agent.messages.slice(1), events, error, warnings }));
process.exit();
