import { expect, it, onTestFinished } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { modelSize } from "./support/model-size.js";
import { tellVerdicts } from "./support/tell-verdicts.js";
import { validate } from "./support/validator.js";
import { WatchStage } from "./support/watch-stage.js";

const { seeds, steps } = modelSize({ seeds: 3, steps: 1500 });

it.each(seeds)(
  "no recorded stream breaks a promise, whatever is done to maps, daemon and subscribers (seed %i)",
  { timeout: 120_000 + steps * 100 },
  async (seed) => {
    const daemon = await startDaemon({ args: ["--watch-history-bytes", "64KiB"] });
    const stage = await WatchStage.open(daemon, seed, { maps: 5, watchesPerMap: 3 });
    onTestFinished(() => stage.close());
    await stage.run(steps);
    await stage.resumeFromBefore(2);
    const verdicts = stage.subscribers.map(({ recording }) => validate(recording, stage.truths));
    tellVerdicts(seed, verdicts);
    const violations = verdicts.flatMap((verdict) => verdict.violations);
    expect(violations.slice(0, 30), `seed ${seed}: ${violations.length} violations`).toEqual([]);
    expect(daemon.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  },
);
