import { WatchFidelity } from "@bpfmapd/client/proto";
import { expect, it, onTestFinished } from "vitest";
import { startDaemon } from "../../support/daemon.js";
import { modelSize } from "../../watch/support/model-size.js";
import { tellVerdicts } from "../../watch/support/tell-verdicts.js";
import { validate } from "../../watch/support/validator.js";
import { WatchStage } from "../../watch/support/watch-stage.js";

/** Less than on the host: a guest is far slower. */
const { seeds, steps } = modelSize({ seeds: 1, steps: 260 });

/** What takes long in a guest is done less often than on the host: calls of the service, other processes. */
const WEIGHTS = {
  ...{ sleep: 10, servicePut: 6, serviceDelete: 4, serviceTake: 1, load: 1, clear: 0.3 },
  ...{ bpftoolPut: 0.6, bpftoolDelete: 0.4, bpftoolBatch: 0.4 },
  ...{ kill: 0, flood: 0.2, settle: 0.3 },
};

it.each(seeds)(
  "no recorded stream of every call breaks a promise (seed %i)",
  { timeout: 600_000 + steps * 1000 },
  async (seed) => {
    const daemon = await startDaemon({
      args: ["--watch-history-bytes", "128KiB"],
    });
    const stage = await WatchStage.open(daemon, seed, {
      maps: 2,
      watchesPerMap: 2,
      fidelity: WatchFidelity.EVERY_CALL,
      // More scans would leave a guest's CPUs nothing else to do.
      pace: { pollMs: [300, 600], bookmarkMs: 300 },
      floodRounds: 15,
      weights: WEIGHTS,
    });
    onTestFinished(() => stage.close());
    // The first traced watch of a daemon takes seconds here: nothing of it would be seen.
    await stage.settle();
    await stage.run(steps);
    await daemon.kill();
    await daemon.restart();
    await stage.settle();
    await stage.run(steps / 2);
    await stage.resumeFromBefore(1);
    const verdicts = stage.subscribers.map(({ recording }) => validate(recording, stage.truths));
    tellVerdicts(seed, verdicts);
    const violations = verdicts.flatMap((verdict) => verdict.violations);
    expect(violations.slice(0, 30), `seed ${seed}: ${violations.length} violations`).toEqual([]);
    expect(daemon.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  },
);
