// Reads the records of a map for ever; says so on standard output when it has begun.
// Arguments: ADDRESS MAP_ID
import { connect } from "@bpfmapd/client";

const [address, mapId] = process.argv.slice(2);
const stream = connect({ address })
  .map({ id: Number(mapId) })
  .records({ exclusive: true });
await stream.started;
console.log("reading");
for await (const _ of stream);
