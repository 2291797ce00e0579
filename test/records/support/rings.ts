import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { BpfmapClient, BpfmapError, RecordEvent, RecordsOptions } from "@bpfmapd/client";
import { LossReason } from "@bpfmapd/client/proto";
import { expect, onTestFinished } from "vitest";
import { ElementCalls, mapInfo, ProgramType, programTestRun } from "#dist/kernel/index.js";
import { PACKET, testMap, testProgram } from "../../kernel/support/programs.js";
import { recordWriter } from "../../kernel/support/rings.js";
import type { TestDaemon } from "../../support/daemon.js";

export const RINGBUF = 27;
export const PERF_EVENT_ARRAY = 4;
export const USER_RINGBUF = 31;

/** A map of the kernel, open in the test's process until the test is over. */
export interface TestRing {
  readonly fd: number;
  readonly id: number;
}

export function makeRing(bytes: number, type = RINGBUF): TestRing {
  const fd = testMap({ type, keySize: 0, valueSize: 0, maxEntries: bytes });
  return { fd, id: mapInfo(fd).id };
}

/** A program that writes numbered records of one size into a ring, and counts what found no room. */
export interface Producer {
  /** Runs the program `times` times; it writes `perRun` records each time. */
  run(times?: number): void;
  /** Records that the program wrote, and those that the ring refused. */
  counts(): { written: number; refused: number };
}

export function makeProducer(
  ring: TestRing,
  perRun: number,
  size: number,
  type: number = ProgramType.SOCKET_FILTER,
): Producer {
  const counters = testMap({ type: 2, keySize: 4, valueSize: 16, maxEntries: 1 });
  const program = testProgram(recordWriter(ring.fd, counters, perRun, size), { type });
  const calls = new ElementCalls(counters, 4, 16);
  onTestFinished(() => calls.release());
  return {
    run: (times = 1) => void programTestRun(program, { data: PACKET, repeat: times }),
    counts() {
      calls.key.writeUInt32LE(0);
      expect(calls.lookup()).toBeUndefined();
      const tried = Number(calls.value.readBigUInt64LE(0));
      const refused = Number(calls.value.readBigUInt64LE(8));
      return { written: tried - refused, refused };
    },
  };
}

/** Everything that a stream has yielded, and how it ended. */
export class Recording {
  readonly records: Buffer[] = [];
  readonly numbers: number[] = [];
  readonly sequences: bigint[] = [];
  readonly cpus: (number | undefined)[] = [];
  readonly times: (bigint | undefined)[] = [];
  /** Losses, each with the index of the record that it stands in front of. */
  readonly losses: { reason: string; count: number; cpu?: number | undefined; at: number }[] = [];
  error: BpfmapError | undefined;
  readonly #abort = new AbortController();
  #gate: Promise<void> = Promise.resolve();
  #openGate: () => void = () => {};
  #ended: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  /** Begins to read, and answers when the daemon reads the ring. */
  static async start(
    client: BpfmapClient,
    ring: TestRing,
    options: Partial<RecordsOptions> = {},
  ): Promise<Recording> {
    const recording = new Recording();
    const stream = client
      .map({ id: ring.id })
      .records({ exclusive: true, ...options, signal: recording.#abort.signal });
    recording.#ended = recording.#read(stream);
    onTestFinished(() => recording.stop());
    await stream.started;
    return recording;
  }

  /** Records lost, of one reason or of all. */
  lost(reason?: keyof typeof LossReason): number {
    return this.losses
      .filter((loss) => reason === undefined || loss.reason === reason)
      .reduce((sum, { count }) => sum + count, 0);
  }

  /** Waits until as many records have come or are told as lost. */
  async until(count: number): Promise<void> {
    while (this.numbers.length + this.lost() < count) {
      if (this.error) throw this.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Takes nothing any more until `resume`: the daemon finds a client that does not read. */
  pause(): void {
    this.#gate = new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  resume(): void {
    this.#openGate();
  }

  /** Cancels the call; what has come stays. */
  async stop(): Promise<void> {
    this.resume();
    this.#abort.abort();
    await this.#ended;
  }

  /** Waits for the error that ends the stream. */
  async failure(): Promise<BpfmapError> {
    await this.#ended;
    return this.error ?? expect.fail("the stream has no error");
  }

  async #read(
    stream: AsyncIterable<
      RecordEvent | { type: "lost"; reason: LossReason; count: bigint; cpu: number | undefined }
    >,
  ) {
    try {
      for await (const event of stream) {
        if (event.type === "lost") {
          const { reason, count, cpu } = event;
          this.losses.push({
            reason: LossReason[reason],
            count: Number(count),
            cpu,
            at: this.numbers.length,
          });
        } else this.#add(event);
        this.#wake();
        await this.#gate;
      }
    } catch (error) {
      this.error = error as BpfmapError;
      this.#wake();
    }
  }

  #add({ data, sequence, cpu, timeNs }: RecordEvent): void {
    const record = Buffer.from(data);
    this.records.push(record);
    this.numbers.push(record.length >= 4 ? record.readUInt32LE(0) : Number.NaN);
    this.sequences.push(sequence);
    this.cpus.push(cpu);
    this.times.push(timeNs);
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** Waits until the daemon has nothing open of a map. */
export async function untilLeft(daemon: TestDaemon, ring: TestRing): Promise<void> {
  while (fdsOf(daemon, ring).length > 0) await sleep(5);
}

/** What the daemon has open of a map: its fds. */
export function fdsOf({ pid }: TestDaemon, { id }: TestRing): string[] {
  return readdirSync(`/proc/${pid}/fdinfo`).filter((fd) => {
    try {
      return readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").includes(`map_id:\t${id}\n`);
    } catch {
      return false; // closed meanwhile
    }
  });
}
