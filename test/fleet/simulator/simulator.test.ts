import { expect, it } from "vitest";
import { simulate } from "./simulate.ts";

const { BPFMAPD_MODEL_SEED, BPFMAPD_SIMULATE_HOSTS, BPFMAPD_SIMULATE_SEEDS } = process.env;
const first = Number(BPFMAPD_MODEL_SEED ?? Math.floor(Math.random() * 1e6));
const count = Number(BPFMAPD_SIMULATE_SEEDS ?? (BPFMAPD_MODEL_SEED === undefined ? 3 : 1));
const seeds = Array.from({ length: count }, (_, index) => first + index);
const hosts = Number(BPFMAPD_SIMULATE_HOSTS ?? 12);
const fleet = { hosts, relays: 3, storms: 1, stormSeconds: 90 };

it.each(seeds)(
  "a fleet keeps its promises through crashes, cuts, slow machines and failing disks (seed %i)",
  { timeout: 300_000 + 1000 * hosts },
  async (seed) => {
    const before = process.cpuUsage();
    const { trace, events, generations } = await simulate({ ...fleet, seed });
    expect(generations).toBeGreaterThan(0);
    if (BPFMAPD_SIMULATE_SEEDS === undefined) return;
    const { user, system } = process.cpuUsage(before);
    const cpu = ((user + system) / 1e6).toFixed(1);
    const { rss } = process.memoryUsage();
    console.log(
      `seed ${seed}: ${hosts} hosts, ${generations} generations, ${events} events, trace ${trace}, ` +
        `${cpu} s of CPU, ${Math.round(rss / 2 ** 20)} MiB`,
    );
  },
);

it("a simulation comes out the same for the same seed", { timeout: 300_000 }, async () => {
  const small = { hosts: 5, relays: 2, storms: 1, stormSeconds: 60, seed: first };
  expect(await simulate(small)).toEqual(await simulate(small));
});
