import type { Bench } from "../harness/bench.js";
import { besideReference } from "../harness/beside-reference.js";
import { compare } from "../harness/compare.js";
import { h48, h1664, type MapKind } from "../harness/elements.js";
import type { Row } from "../harness/row.js";
import { batchLoad } from "../peers/c-loop.js";
import type { Case } from "./case.js";
import { goLoad, loadFrom, startLoader } from "./loaders.js";

/** A million elements written into an empty hash map. */
export const goLoadCases: Case[] = [h48, h1664].map((shape) => ({
  name: `load-go-${shape.name}`,
  about: `load 1 M elements by the Go and the Node client, ${shape.keySize}+${shape.valueSize} bytes`,
  run: (bench) => measure(bench, shape),
}));

async function measure(bench: Bench, shape: MapKind): Promise<Row[]> {
  const map = await bench.emptyMap(shape, 1_000_000);
  const prepare = () => bench.clear(map);
  const node = await startLoader(bench, map);
  try {
    return await besideReference(bench, ({ ours, theirs, kernel }) =>
      compare(
        { case: `load-go-${shape.name}`, meaning: "peer / subject", unit: "seconds" },
        [
          { name: "LoadMap from the Go client", prepare, run: () => goLoad(ours, map) },
          { name: "LoadMap from a Node client", prepare, run: () => loadFrom(node, map) },
        ],
        [
          { name: "grpc-go and cilium/ebpf", prepare, run: () => goLoad(theirs, map) },
          {
            name: "cilium/ebpf, BatchUpdate",
            isNew: true,
            prepare,
            run: () => goLoad(kernel, map),
          },
          { name: "C loop of UPDATE_BATCH", isNew: true, prepare, run: () => batchLoad(map) },
        ],
        5,
      ),
    );
  } finally {
    await node.stop();
  }
}
