import type { LookupAnswer } from "../clients/lookup-client.js";
import type { Bench } from "../harness/bench.js";
import { alternate } from "../harness/compare.js";
import { h48 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import { amount, type Row, row } from "../harness/row.js";
import type { Case } from "./case.js";

/** What a single caller's lookups take while another client dumps a million elements, again and again. */
export const lookupBesideDump: Case = {
  name: "lookup-beside-dump",
  about: "lookups by one caller: idle, and beside another client's dumps of 1 M elements",
  run: measure,
};

const question = { seconds: 3 };

async function measure(bench: Bench): Promise<Row[]> {
  const map = await bench.fullMap(h48, 1_000_000);
  const { address } = bench.daemon;
  const dumper = await ClientProcess.start("dump-client", [address, `${map.id}`]);
  const callerArgs = [address, map.id, h48.keySize, h48.valueSize, map.elements].map(String);
  const caller = await ClientProcess.start("lookup-client", callerArgs);
  try {
    return await compareQuantiles(dumper, caller);
  } finally {
    await Promise.all([dumper.stop(), caller.stop()]);
  }
}

async function compareQuantiles(dumper: ClientProcess, caller: ClientProcess): Promise<Row[]> {
  const idle = () => caller.ask<LookupAnswer>(question);
  const [beside = [], alone = []] = await alternate(
    [
      { name: "LookupElements beside a dump", run: () => whileDumping(dumper, idle) },
      { name: "LookupElements, idle", run: idle },
    ],
    5,
    ({ lookups, p50Seconds, p99Seconds }) =>
      `${lookups} lookups, p50 ${amount(p50Seconds, "seconds")}, p99 ${amount(p99Seconds, "seconds")}`,
  );
  return (["p50Seconds", "p99Seconds"] as const).map((quantile) => {
    const quantileName = quantile.slice(0, 3);
    return row(
      { case: "lookup-beside-dump", meaning: "subject / peer", unit: "seconds" },
      { name: `${quantileName} beside a dump`, amounts: beside.map((one) => one[quantile]) },
      { name: `${quantileName} idle`, amounts: alone.map((one) => one[quantile]) },
    );
  });
}

async function whileDumping<T>(dumper: ClientProcess, work: () => Promise<T>): Promise<T> {
  let over = false;
  const dumps = (async () => {
    while (!over) await dumper.ask({ times: 1 });
  })();
  try {
    return await work();
  } finally {
    over = true;
    await dumps;
  }
}
