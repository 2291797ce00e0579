// Calls as fast as it can: FLOOD SOCKET MAP-ID TOKEN KINDS. Answers each line of its input with
// the number of calls that were answered so far.
import { createInterface } from "node:readline";
import { connect } from "@bpfmapd/client";

const [, , socket, id, token, kinds] = process.argv;
const CONNECTIONS = 4;
const CALLERS = 32;
const map = { ref: { case: "id", value: Number(id) } };
const keys = Uint8Array.of(1, 0, 0, 0);
let answered = 0;

const many = { count: 20_000, keys: Buffer.alloc(80_000), values: Buffer.alloc(160_000) };
for (let key = 0; key < many.count; key++) many.keys.writeUInt32LE(key, key * 4);

const floods = {
  async unary(client) {
    for (;;) {
      await client.maps.lookupElements({ map, keys, count: 1, onError: 2 });
      answered++;
    }
  },
  async pipeline(client) {
    let room = 200;
    let wake = () => {};
    async function* requests() {
      for (;;) {
        while (room === 0) {
          await new Promise((resolve) => {
            wake = resolve;
          });
        }
        room--;
        yield { call: { case: "lookupElements", value: { map, keys, count: 1, onError: 2 } } };
      }
    }
    for await (const _ of client.maps.pipeline(requests())) {
      answered++;
      room++;
      wake();
    }
  },
  async update(client) {
    for (;;) {
      await client.maps.updateElements({ map, elements: many });
      answered++;
    }
  },
  async dump(client) {
    for (;;) {
      for await (const _ of client.maps.dumpMap({ map })) answered++;
    }
  },
};
const CALLERS_OF = { unary: CALLERS, pipeline: 2, update: 4, dump: 2 };

for (let connection = 0; connection < CONNECTIONS; connection++) {
  const client = connect({ address: `unix:${socket}`, token });
  for (const kind of kinds.split(",")) {
    for (let caller = 0; caller < CALLERS_OF[kind]; caller++) {
      floods[kind](client).catch((error) => {
        console.error(kind, error);
        process.exit(1);
      });
    }
  }
}
createInterface({ input: process.stdin })
  .on("line", () => console.log(answered))
  .on("close", () => process.exit(0));
