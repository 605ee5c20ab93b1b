// Runs an agent with AG-UI's own client, through cuts of the connection, and prints each attempt.
import { text } from "node:stream/consumers";
import { HttpAgent } from "@ag-ui/client";

const { url, attempts, stop } = JSON.parse(await text(process.stdin));
const warnings = [];
console.warn = console.log = console.error = (...told) => warnings.push(told.map(String).join(" "));
// The client leaves the rejection of the reader that broke unhandled, beside the error that it throws.
process.on("unhandledRejection", () => {});
const found = [];
const agent = new HttpAgent({ url, threadId: "thread" });
agent.messages = [{ id: "1", role: "user", content: "Who is there?" }];
for (let attempt = 0; attempt < attempts; attempt++) {
  const types = [];
  let error = null;
  let outcome = null;
  let asked = false;
  try {
    await agent.runAgent(
      { runId: "run" },
      {
        onEvent({ event }) {
          types.push(event.type);
          outcome = event.outcome ?? outcome;
          if (stop && !asked && event.type === "REASONING_MESSAGE_CONTENT") {
            asked = true;
            fetch(`${url}/stop`, { method: "POST" });
          }
        },
      },
    );
  } catch (thrown) {
    error = String(thrown.message);
  }
  found.push(structuredClone({ messages: agent.messages.slice(1), types, error, outcome }));
}
process.stdout.write(JSON.stringify({ attempts: found, warnings }));
process.exit();
