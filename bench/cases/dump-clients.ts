import type { Bench } from "../harness/bench.js";
import { compare } from "../harness/compare.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import type { Case } from "./case.js";
import { dumpTo } from "./dump.js";
import { goDump } from "./go-dump.js";

/** The same dump to clients in three languages, each of which then has it in columns. */
export const dumpClientsCases: Case[] = [h48, h1664].map((shape) => ({
  name: `dump-clients-${shape.name}`,
  about: `dump 1 M elements, ${shape.keySize}+${shape.valueSize} bytes, to the Python, Node and Go clients`,
  run: (bench) => measure(bench, shape),
}));

async function measure(bench: Bench, shape: MapKind): Promise<Row[]> {
  const map = await bench.fullMap(shape, 1_000_000);
  const { address } = bench.daemon;
  const args = [address, `${map.id}`];
  const python = await ClientProcess.startPython("dump_client", args);
  const node = await ClientProcess.start("dump-client", args);
  const go = await ClientProcess.startGo(bench.daemon);
  try {
    return await compare(
      { case: `dump-clients-${shape.name}`, meaning: "subject / peer", unit: "seconds" },
      [
        { name: "Python, numpy columns", run: () => dumpTo(python, map) },
        { name: "Node, columns", run: () => dumpTo(node, map) },
      ],
      [{ name: "Go, columns", run: () => goDump(go, map) }],
      7,
    );
  } finally {
    await Promise.all([python.stop(), node.stop(), go.stop()]);
  }
}
