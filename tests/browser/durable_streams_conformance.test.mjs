// Runs the conformance tests of the protocol against the server that the environment names.
import { runConformanceTests } from "@durable-streams/server-conformance-tests"

const { CONFORMANCE_URL, CONFORMANCE_LONG_POLL_MS } = process.env

runConformanceTests({ baseUrl: CONFORMANCE_URL, longPollTimeoutMs: Number(CONFORMANCE_LONG_POLL_MS) })
