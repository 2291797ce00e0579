import type { FloodAnswer } from "../clients/flood-client.js";
import type { LookupAnswer } from "../clients/lookup-client.js";
import type { Bench, BenchMap } from "../harness/bench.js";
import { alternate } from "../harness/compare.js";
import type { Daemon } from "../harness/daemon.js";
import { h48 } from "../harness/elements.js";
import { ClientProcess } from "../harness/process.js";
import { amount, type Row, row } from "../harness/row.js";
import type { Case } from "./case.js";

const SECONDS = 3;
const RUNS = 5;

/**
 * What a single caller's lookups take while another client calls as fast as it can: over 4
 * connections, by 128 callers and 4 pipelines. Beside it the same flood of another daemon, which
 * takes the same time of the host's CPUs.
 */
export const lookupBesideFlood: Case = {
  name: "lookup-beside-flood",
  about: "lookups by one caller: beside a flood of its daemon, and of another one",
  run: measure,
};

async function measure(bench: Bench): Promise<Row[]> {
  const map = await bench.fullMap(h48, 1_000_000);
  const other = await bench.startDaemon();
  const flooders: ClientProcess[] = [];
  const startFlood = async (daemon: Daemon) => {
    const args = [daemon.address, map.id, h48.keySize].map(String);
    const flooder = await ClientProcess.start("flood-client", args);
    flooders.push(flooder);
    return flooder;
  };
  const caller = await startCaller(bench.daemon, map);
  try {
    return await compareQuantiles(caller, await startFlood(bench.daemon), await startFlood(other));
  } finally {
    await Promise.all([caller, ...flooders].map((client) => client.stop()));
    await bench.stopDaemon(other);
  }
}

function startCaller({ address }: Daemon, { id, elements }: BenchMap): Promise<ClientProcess> {
  const args = [address, id, h48.keySize, h48.valueSize, elements].map(String);
  return ClientProcess.start("lookup-client", args);
}

async function compareQuantiles(
  caller: ClientProcess,
  here: ClientProcess,
  elsewhere: ClientProcess,
): Promise<Row[]> {
  const beside = async (flooder: ClientProcess) => {
    const flood = flooder.ask<FloodAnswer>({ seconds: SECONDS + 1 });
    const answer = await caller.ask<LookupAnswer>({ seconds: SECONDS });
    return { ...answer, flood: (await flood).lookups };
  };
  const [flooded = [], busy = []] = await alternate(
    [
      { name: "beside a flood", run: () => beside(here) },
      { name: "beside a flood of another daemon", run: () => beside(elsewhere) },
    ],
    RUNS,
    ({ lookups, flood, p50Seconds, p99Seconds }) =>
      `${lookups} lookups, p50 ${amount(p50Seconds, "seconds")}, p99 ${amount(p99Seconds, "seconds")}; ${flood} of the flood`,
  );
  return (["p50Seconds", "p99Seconds"] as const).map((quantile) => {
    const name = quantile.slice(0, 3);
    return row(
      { case: "lookup-beside-flood", meaning: "subject / peer", unit: "seconds" },
      { name: `${name} beside a flood`, amounts: flooded.map((one) => one[quantile]) },
      {
        name: `${name} beside a flood of another daemon`,
        amounts: busy.map((one) => one[quantile]),
      },
    );
  });
}
