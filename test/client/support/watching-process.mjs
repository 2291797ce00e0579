/*
 * A process that keeps a copy of a map by a watch: node watching-process.mjs OPTIONS, which is
 * JSON. It answers each message but "end" with what it has; after "end" nothing keeps it alive.
 */
import { readFileSync } from "node:fs";
import { connect } from "@bpfmapd/client";

const options = JSON.parse(process.argv[2]);
const { address, ca, cert, key, serverName, hold, pollIntervalMs, keepaliveMs } = options;
const client = connect({
  address,
  tls: {
    ca: readFileSync(ca),
    cert: readFileSync(cert),
    key: readFileSync(key),
    serverName,
  },
  channelOptions: {
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveMs,
  },
});
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const contents = new Map();
const counts = { resyncs: 0, created: 0, lost: 0 };
const ending = new AbortController();

process.on("message", (message) => {
  if (message === "end") ending.abort();
  else
    process.send({ contents: [...contents], counts, resources: process.getActiveResourcesInfo() });
});

try {
  const watch = client.map({ held: hold }).watch({
    pollIntervalMs,
    signal: ending.signal,
    onLost: () => {
      counts.lost += 1;
    },
  });
  for await (const event of watch) {
    if (event.type === "put") contents.set(hex(event.key), hex(event.value));
    if (event.type === "delete") contents.delete(hex(event.key));
    if (event.type === "created") counts.created += 1;
    if (event.type === "resync") {
      contents.clear();
      counts.resyncs += 1;
    }
  }
} catch (error) {
  if (!ending.signal.aborted) throw error;
}
client.close();
process.disconnect();
