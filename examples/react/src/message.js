/** Puts the message of an answer together from the events of a UI message stream. */

export const newMessage = (id) => ({ id, role: "assistant", parts: [] });

/** Returns the message with what an event adds. The message itself is left as it is, as React wants it. */
export function withChunk(message, chunk) {
  const { type, id, toolCallId } = chunk;
  const change = (matches, update) => ({
    ...message,
    parts: message.parts.map((part) => (matches(part) ? { ...part, ...update(part) } : part)),
  });
  const inTool = (update) => change((part) => part.type === "tool" && part.id === toolCallId, update);
  switch (type) {
    case "text-start":
    case "reasoning-start":
      return { ...message, parts: [...message.parts, { type: type.replace("-start", ""), id, text: "" }] };
    case "text-delta":
    case "reasoning-delta":
      return change((part) => part.id === id, (part) => ({ text: part.text + chunk.delta }));
    case "text-end":
    case "reasoning-end":
      return change((part) => part.id === id, () => ({ isDone: true }));
    case "tool-input-start":
      return {
        ...message,
        parts: [...message.parts, { type: "tool", id: toolCallId, name: chunk.toolName, input: "", state: "input" }],
      };
    case "tool-input-delta":
      return inTool((part) => ({ input: part.input + chunk.inputTextDelta }));
    case "tool-input-available":
      return inTool(() => ({ input: JSON.stringify(chunk.input, null, 2), state: "running" }));
    case "tool-output-available":
      return inTool(() => ({ output: JSON.stringify(chunk.output, null, 2), state: "done" }));
    case "tool-input-error":
    case "tool-output-error":
      return inTool(() => ({ output: chunk.errorText, state: "failed" }));
    case "source-url":
      return { ...message, parts: [...message.parts, { type: "source", id: chunk.sourceId, url: chunk.url, title: chunk.title }] };
    case "data-gap":
      return { ...message, isIncomplete: true };
    case "error":
      return { ...message, error: chunk.errorText };
    case "finish":
      return { ...message, finishReason: chunk.finishReason, usage: chunk.messageMetadata?.usage };
    default:
      return message;
  }
}
