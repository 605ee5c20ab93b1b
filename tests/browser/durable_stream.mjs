// Writes and reads streams with the client of Durable Streams. Prints JSON.
import { text } from "node:stream/consumers"
import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client"

const given = JSON.parse(await text(process.stdin))
const { url, contentType } = given

const commands = {
  // Producers send at once, each in several requests; the last one closes the stream.
  async write({ producers, each }) {
    const made = await DurableStream.create({ url, contentType })
    const all = Array.from({ length: producers }, (_, number) => {
      return new IdempotentProducer(made, `producer-${number}`, { lingerMs: 1, maxBatchBytes: 100, maxInFlight: 5 })
    })
    for (let count = 0; count < each; count++) {
      for (const [number, producer] of all.entries()) {
        producer.append(contentType === "application/json" ? JSON.stringify([number, count]) : `${number}:${count} äöü\n`)
      }
    }
    await Promise.all(all.map((producer) => producer.flush()))
    await made.close()
    return (await made.head()).offset
  },

  async read({ live }) {
    const response = await stream({ url, offset: "-1", live })
    if (contentType === "application/json") {
      const items = []
      for await (const item of response.jsonStream()) items.push(item)
      return items
    }
    const chunks = []
    for await (const chunk of response.bodyStream()) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks).toString("base64")
  },
}

process.stdout.write(JSON.stringify(await commands[given.command](given)))
