// A million elements through the TypeScript client: loads them into a hash map of 4-byte
// keys and 8-byte values, or dumps them, and prints the rate.
// Usage: node demo/million.mjs load|dump ADDRESS PIN
//        node demo/million.mjs batch PIN      prints the same load as a batch file for bpftool
import { once } from "node:events";
import { connect } from "@bpfmapd/client";

const COUNT = 1_000_000;
const PER_CHUNK = 20_000;

/** The elements as columns: keys back to back, values back to back, in chunks. */
function* chunks() {
  for (let from = 0; from < COUNT; from += PER_CHUNK) {
    const keys = new Uint32Array(PER_CHUNK);
    const values = new BigUint64Array(PER_CHUNK);
    for (let i = 0; i < PER_CHUNK; i++) {
      keys[i] = from + i;
      values[i] = BigInt(from + i) * 1000n;
    }
    yield {
      count: PER_CHUNK,
      keys: new Uint8Array(keys.buffer),
      values: new Uint8Array(values.buffer),
    };
  }
}

async function load(maps, map) {
  const prepared = [...chunks()]; // so that the time is the load's alone
  async function* requests() {
    yield { kind: { case: "start", value: { map } } };
    for (const value of prepared) yield { kind: { case: "elements", value } };
  }
  const start = performance.now();
  const { written } = await maps.loadMap(requests());
  report("LoadMap", Number(written), start);
}

async function dump(handle) {
  const start = performance.now();
  let elements = 0;
  const stream = handle.dump();
  for await (const chunk of stream.chunks()) elements += chunk.count;
  const { complete } = await stream.summary;
  report(complete ? "DumpMap, complete" : "DumpMap, not complete", elements, start);
}

function report(what, elements, start) {
  const seconds = (performance.now() - start) / 1000;
  const rate = (elements / seconds / 1e6).toFixed(2);
  console.log(`${what}: ${elements} elements in ${seconds.toFixed(2)} s, ${rate} million a second`);
}

async function printBatchFile(pin) {
  for (const { count, keys, values } of chunks()) {
    let text = "";
    for (let i = 0; i < count; i++) {
      const key = keys.subarray(i * 4, i * 4 + 4).join(" ");
      const value = values.subarray(i * 8, i * 8 + 8).join(" ");
      text += `map update pinned ${pin} key ${key} value ${value}\n`;
    }
    if (!process.stdout.write(text)) await once(process.stdout, "drain");
  }
}

const [command, ...args] = process.argv.slice(2);
if (command === "batch") {
  await printBatchFile(args[0]);
} else {
  const [address, pinPath] = args;
  const client = connect({ address });
  const handle = client.map({ pinPath });
  await client.waitForReady(10_000);
  if (command === "load") await load(client.maps, handle.ref);
  else await dump(handle);
  client.close();
}
