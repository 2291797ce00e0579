// A client in a process of its own that is amid dumps and loads when it is killed.
import { connect } from "@bpfmapd/client";

const [address, large, small] = process.argv.slice(2);
const client = connect({ address });
const dumps = [1, 2, 3].map(() => client.map({ held: large }).dump({ chunkBytes: 4096 }).chunks());
await Promise.all(dumps.map((dump) => dump.next()));
async function* endless() {
  for (let index = 0; index < 500; index++) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(index);
    yield [key, Buffer.alloc(8, 1)];
  }
  process.stdout.write("under way\n");
  await new Promise(() => {});
}
// Two chunks are with the daemon when the third is not to come.
await client.map({ held: small }).load(endless(), { chunkBytes: 3000 });
