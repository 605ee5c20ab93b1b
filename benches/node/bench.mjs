// eventsource-parser as a contestant of benches/workers.py.
//
// The first line it prints says what it is. After that it answers, line by line:
//   check CONTESTANT READ_SIZE 1 FILE        -> "ok 0", or "wrong" and the reason
//   time CONTESTANT READ_SIZE PASSES FILE    -> "ok" and the nanoseconds
// FILE is a stream that benches/workloads.py wrote, with the expected data beside it.

import {readFileSync} from 'node:fs'
import {createRequire} from 'node:module'
import {createInterface} from 'node:readline'
import {createParser} from 'eventsource-parser'

const NAME = 'eventsource-parser'
const {version} = createRequire(import.meta.url)('eventsource-parser/package.json')

/** The parser takes text: decoding the bytes is part of the work, as it is for everybody else. */
function decode(chunks, onEvent) {
  const text = new TextDecoder()
  const parser = createParser({onEvent})
  for (const chunk of chunks) parser.feed(text.decode(chunk, {stream: true}))
}

const cuts = new Map()

function cut(file, readSize) {
  const key = `${readSize} ${file}`
  if (!cuts.has(key)) {
    const body = readFileSync(file)
    const chunks = []
    for (let start = 0; start < body.length; start += readSize) {
      chunks.push(body.subarray(start, start + readSize))
    }
    cuts.set(key, chunks)
  }
  return cuts.get(key)
}

function check(file, readSize) {
  const expected = readFileSync(file.replace(/\.sse$/, '.expected'), 'utf8').split('\0').slice(0, -1)
  const data = []
  decode(cut(file, readSize), (event) => data.push(event.data))
  if (data.length !== expected.length) return `wrong ${data.length} events instead of ${expected.length}`
  const index = data.findIndex((each, position) => each !== expected[position])
  return index < 0 ? 'ok 0' : `wrong event ${index} differs`
}

let characters = 0

function time(file, readSize, passes) {
  const chunks = cut(file, readSize)
  // What is read of each event is summed up, so that nothing can be optimised away.
  const onEvent = (event) => {
    characters += event.data.length
  }
  const started = process.hrtime.bigint()
  for (let pass = 0; pass < passes; pass++) decode(chunks, onEvent)
  return `ok ${process.hrtime.bigint() - started}`
}

console.log(JSON.stringify({language: 'JavaScript', contestants: [[NAME, version]]}))
for await (const line of createInterface({input: process.stdin})) {
  const [, command, , readSize, passes, file] = /^(\w+)\t([^\t]+)\t(\d+)\t(\d+)\t(.+)$/.exec(line)
  console.log(command === 'check' ? check(file, Number(readSize)) : time(file, Number(readSize), Number(passes)))
}
