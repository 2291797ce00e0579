import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { temporaryDirectory } from "../daemon/support/run.js";
import { fdCount, openMaps, pinTree, residentBytes } from "../service/support/daemon-state.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { startProxy } from "../watch/support/socket-proxy.js";
import { AuditReplay } from "./support/audit-replay.js";
import { growth, median } from "./support/trend.js";
import { Worker } from "./support/worker.js";

/** BPFMAPD_SOAK_MINUTES=60 is a soak; the time here shows that it works. */
const MINUTES = Number(process.env.BPFMAPD_SOAK_MINUTES ?? 0.5);
const SEED = Number(process.env.BPFMAPD_SOAK_SEED ?? Date.now() % 1_000_000);
const HALF_MS = MINUTES * 30_000;
const WORKERS = 6;
const SAMPLES = 60;
/**
 * By how much memory may grow over the last two thirds of the samples, as a part of it. V8's
 * heaps and malloc's arenas come to their size in some minutes, so that a short soak shows no more
 * than that the check works.
 */
const MOST_GROWTH = MINUTES < 20 ? 0.5 : 0.05;
/** What watches keep is full long before memory is looked at. */
const HISTORY = ["--watch-history-bytes", "64KiB"];

interface Sample {
  readonly fds: number;
  readonly bytes: number;
}

it(
  "mixed load, restarts and cut connections lose no change, leave no change out of the audit, and take up no more as time goes",
  async () => {
    console.log(`${MINUTES} minutes of soak, BPFMAPD_SOAK_SEED=${SEED}`);
    const audit = join(temporaryDirectory(), "audit.jsonl");
    const args = ["--audit-file", audit, ...HISTORY];
    const daemon = await startDaemon({ args, logLevel: "error" });
    const proxy = await startProxy(join(daemon.directory, "cut.sock"), daemon.socket);
    onTestFinished(() => proxy.close());
    const workers = Array.from(
      { length: WORKERS },
      (_, index) => new Worker(`unix:${proxy.path}`, `soak_${index}`, SEED + index),
    );
    onTestFinished(() => {
      for (const worker of workers) worker.close();
    });
    for (const worker of workers) await worker.prepare();
    const work = Promise.all(workers.map((worker) => worker.run()));
    const samples = await unlessFailed(work, async () => {
      await disturb(daemon, proxy.cut, workers);
      return watchOver(daemon, proxy.cut);
    });
    for (const worker of workers) worker.stop();
    await work;

    await expectAudited(workers, audit);
    expectFlat(samples);
    await expectNothingLeft(daemon);
    expect(daemon.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  },
  MINUTES * 60_000 + 300_000,
);

/** Does something beside the workers; ends with the first of them that fails. */
function unlessFailed<T>(work: Promise<unknown>, other: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.catch(reject);
    other().then(resolve, reject);
  });
}

/** Cuts connections, restarts the daemon and kills it, for half of the time. */
async function disturb(daemon: TestDaemon, cut: () => void, workers: readonly Worker[]) {
  const until = Date.now() + HALF_MS;
  for (let round = 0; Date.now() < until; round++) {
    await sleep(Math.min(3000, HALF_MS / 8));
    if (round % 3 === 0) {
      cut();
      continue;
    }
    if (round % 3 === 1) {
      for (const worker of workers) worker.noteKill();
      await daemon.kill();
    }
    await daemon.restart();
  }
}

/** Cuts connections only, so that what the daemon takes up can be followed. */
async function watchOver(daemon: TestDaemon, cut: () => void): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let index = 0; index < SAMPLES; index++) {
    await sleep(HALF_MS / SAMPLES);
    if (index % 4 === 0) cut();
    samples.push({ fds: fdCount(daemon.pid), bytes: residentBytes(daemon.pid) });
  }
  return samples;
}

/**
 * What was answered is in the audit, and what the audit tells is in the maps: no more, no
 * less, but for what was on its way when the daemon was killed.
 */
async function expectAudited(workers: readonly Worker[], file: string): Promise<void> {
  const audit = await AuditReplay.of(file);
  for (const worker of workers) {
    for (const [number, { isDone }] of worker.changes) {
      if (isDone) expect(audit.outcomes.get(number), `request ${number}`).toBe("OK");
    }
    const told = audit.elementsOf(worker.name);
    const elements = await worker.elements();
    for (const key of new Set([...told.keys(), ...elements.keys()])) {
      const possible = [told.get(key), ...leftByKills(worker, key)];
      expect(possible, `${worker.name}: ${key}`).toContain(elements.get(key));
    }
  }
  const sum = (of: (worker: Worker) => number) => workers.map(of).reduce((a, b) => a + b);
  const changes = sum((worker) => worker.changes.size);
  const [calls, killed] = [sum((worker) => worker.calls), sum((worker) => worker.killed.size)];
  console.log(`${calls} calls, ${changes} changes, ${killed} of them killed, ${audit.lines} lines`);
  expect(changes).toBeGreaterThan(100);
}

/** What the changes that were killed, and are in no audit, may have made of a key. */
function leftByKills({ killed, changes }: Worker, key: string): (string | undefined)[] {
  return [...killed].flatMap((number) => {
    const change = changes.get(number);
    if (change?.does === "clear") return [undefined];
    if (!change?.keys.includes(key)) return [];
    return [change.does === "update" ? number : undefined];
  });
}

/** Over the last two thirds nothing grows, but for what a heap breathes. */
function expectFlat(samples: readonly Sample[]): void {
  const settled = samples.slice(Math.floor(samples.length / 3));
  for (const what of ["fds", "bytes"] as const) {
    const values = settled.map((sample) => sample[what]);
    const [level, grown] = [median(values), growth(values)];
    console.log(`${what}: ${level}, and ${Math.round(grown)} more over the last two thirds`);
    expect(grown, what).toBeLessThan(what === "fds" ? 4 : level * MOST_GROWTH);
  }
}

/** Two maps of each worker, and nothing else: leases of what was cut off have run out. */
async function expectNothingLeft(daemon: TestDaemon): Promise<void> {
  await vi.waitFor(
    () => {
      const open = openMaps(daemon.pid);
      expect([...new Set(open)]).toHaveLength(2 * WORKERS);
      const pins = pinTree(daemon.bpffs).filter((path) => path !== "/bpfmapd");
      expect(pins).toHaveLength(2 * WORKERS);
    },
    { timeout: 60_000, interval: 500 },
  );
}
