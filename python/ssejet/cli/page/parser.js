/** Parses an event stream that comes in pieces, as the WHATWG HTML standard says. */
export class EventStreamParser {
  #rest = "";
  #data = [];
  #type = "";
  #id = "";
  #skipLineFeed = false;

  /** Take a piece of text; returns the events that it completes. */
  push(text) {
    if (this.#skipLineFeed && text) {
      text = text.replace(/^\n/, "");
      this.#skipLineFeed = false;
    }
    this.#skipLineFeed = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    return lines.map((line) => this.#line(line)).filter(Boolean);
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch() {
    const event = this.#data.length
      ? { type: this.#type || "message", data: this.#data.join("\n"), lastEventId: this.#id }
      : null;
    this.#data = [];
    this.#type = "";
    return event;
  }
}
