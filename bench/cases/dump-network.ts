import type { Bench } from "../harness/bench.js";
import { type Contender, comparePairs } from "../harness/compare.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import { startNetwork } from "../harness/network.js";
import { ClientProcess, type Endpoint } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import type { Case } from "./case.js";
import { goDump } from "./go-dump.js";

/** A million elements over each transport. */
export const dumpNetworkCases: Case[] = [h48, h1664].map((shape) => ({
  name: `dump-tls-${shape.name}`,
  about: `dump 1 M elements, ${shape.keySize}+${shape.valueSize} bytes, over TLS, TCP and a unix socket`,
  run: (bench) => measure(bench, shape),
}));

async function measure(bench: Bench, shape: MapKind): Promise<Row[]> {
  const map = await bench.fullMap(shape, 1_000_000);
  const { ours, theirs, stop } = await startNetwork(bench);
  const clients: ClientProcess[] = [];
  const contender = async (name: string, server: Endpoint): Promise<Contender> => {
    const client = await ClientProcess.startGo(server);
    clients.push(client);
    return { name, run: () => goDump(client, map) };
  };
  try {
    const tls = await contender("DumpMap over TLS", ours.tls);
    const tcp = await contender("DumpMap over plain TCP", ours.tcp);
    const unix = await contender("DumpMap over a unix socket", ours.unix);
    const theirTls = await contender("grpc-go and cilium/ebpf, TLS", theirs.tls);
    const theirTcp = await contender("grpc-go and cilium/ebpf, plain TCP", theirs.tcp);
    return await comparePairs(
      { case: `dump-tls-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
      [
        [tls, tcp],
        [tls, theirTls],
        [tcp, unix],
        [tcp, theirTcp],
        [theirTls, theirTcp],
      ],
      7,
    );
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await stop();
  }
}
