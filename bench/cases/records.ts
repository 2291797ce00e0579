import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MapType } from "@bpfmapd/client/proto";
import {
  Assembler,
  closeFd,
  FP,
  mapCreate,
  mapInfo,
  ProgramType,
  programLoad,
  programTestRun,
  R1,
  R2,
  R3,
  R4,
  R6,
} from "#dist/kernel/index.js";
import { indexHolders } from "#dist/maps/map-holders.js";
import type { RecordAnswer } from "../clients/record-client.js";
import type { Bench } from "../harness/bench.js";
import { compare } from "../harness/compare.js";
import { ClientProcess, run } from "../harness/process.js";
import type { Row } from "../harness/row.js";
import type { Case } from "./case.js";

const RECORDS = 1_000_000;
const RECORD_BYTES = 64;
/** Records that the program writes at each run. */
const PER_RUN = 1000;
/** Room for all of them with their headers. */
const RING_BYTES = 128 * 1024 * 1024;

const drain = fileURLToPath(new URL("../peers/ring-drain", import.meta.url));

/** A million records that wait in a ring buffer, read by another process. */
export const records: Case = {
  name: "records",
  about: `read 1 M records of ${RECORD_BYTES} bytes out of a ring buffer`,
  run: measure,
};

async function measure(bench: Bench): Promise<Row[]> {
  const ring = new FullRing();
  const client = await ClientProcess.start("record-client", [bench.daemon.address, `${ring.id}`]);
  const prepare = () => ring.fill();
  try {
    return await compare(
      { case: "records", meaning: "peer / subject", unit: "seconds" },
      [{ name: "ReadRecords to a Node client", prepare, run: () => read(client) }],
      [{ name: "C loop over the mapped ring", prepare, run: () => drainInC(ring.id) }],
      7,
    );
  } finally {
    await client.stop();
    ring.close();
  }
}

async function read(client: ClientProcess): Promise<number> {
  const { seconds, records: count } = await client.ask<RecordAnswer>({ count: RECORDS });
  if (count !== RECORDS) throw new Error(`the stream sent ${count} records`);
  return seconds;
}

async function drainInC(id: number): Promise<number> {
  const { stdout } = await run(drain, [`${id}`]);
  const { seconds, elements } = JSON.parse(stdout) as { seconds: number; elements: number };
  if (elements !== RECORDS) throw new Error(`ring-drain saw ${elements} records`);
  return seconds;
}

/** Fills a ring through a program, as the kernel fills it. */
class FullRing {
  readonly id: number;
  readonly #fd: number;
  readonly #program: number;

  constructor() {
    this.#fd = mapCreate({
      type: MapType.RINGBUF,
      keySize: 0,
      valueSize: 0,
      maxEntries: RING_BYTES,
    });
    this.id = mapInfo(this.#fd).id;
    const program = new Assembler().mov(R6, 0);
    for (let at = 8; at <= RECORD_BYTES; at += 8) program.store("u64", FP, -at, at);
    program
      .label("next")
      .loadMap(R1, this.#fd)
      .mov(R2, FP)
      .add(R2, -RECORD_BYTES)
      .mov(R3, RECORD_BYTES)
      .mov(R4, 0)
      .call("ringbuf_output")
      .add(R6, 1)
      .jumpIf(R6, "<", PER_RUN, "next")
      .return(0);
    const instructions = program.build();
    this.#program = programLoad({ type: ProgramType.SOCKET_FILTER, instructions });
  }

  async fill(): Promise<void> {
    // The daemon's reader of the run before would take what is for this one.
    while (await this.#isRead()) await sleep(10);
    const packet = new Uint8Array(14);
    programTestRun(this.#program, { data: packet, repeat: RECORDS / PER_RUN });
  }

  close(): void {
    closeFd(this.#program);
    closeFd(this.#fd);
  }

  /** Whether a process besides this one has the map open. */
  async #isRead(): Promise<boolean> {
    const holders = (await indexHolders()).get(this.id) ?? [];
    return holders.some(({ pid }) => pid !== process.pid);
  }
}
