// Reads what a server sends with the AI SDK's own chat, and prints the message that it makes.
import { text } from "node:stream/consumers";
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";

const { url, resume } = JSON.parse(await text(process.stdin));
const chunks = [];
class Transport extends DefaultChatTransport {
  async sendMessages(options) {
    return this.watch(await super.sendMessages(options));
  }
  async reconnectToStream(options) {
    const stream = await super.reconnectToStream(options);
    return stream && this.watch(stream);
  }
  watch(stream) {
    const keep = new TransformStream({ transform: (chunk, out) => (chunks.push(chunk), out.enqueue(chunk)) });
    return stream.pipeThrough(keep);
  }
}
let finish = null;
let error = null;
const chat = new Chat({
  id: "chat",
  transport: new Transport({ api: url, prepareReconnectToStreamRequest: () => ({ api: url }) }),
  onFinish: ({ finishReason, isAbort, isError }) => (finish = { finishReason, isAbort, isError }),
  onError: (thrown) => (error = String(thrown.message)),
});
await (resume ? chat.resumeStream() : chat.sendMessage({ text: "?" }));
const messages = chat.messages.filter((message) => message.role === "assistant");
process.stdout.write(JSON.stringify({ messages, finish, error, status: chat.status, chunks }));
process.exit();
