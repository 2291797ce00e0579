/* More of it: BPFMAPD_MODEL_SEEDS=50 BPFMAPD_MODEL_STEPS=5000; one again: BPFMAPD_MODEL_SEED=n */

/** How much of the random model runs: as much as a test asks for, or as the environment says. */
export function modelSize(usual: { seeds: number; steps: number }): {
  readonly seeds: readonly number[];
  readonly steps: number;
} {
  const numberOf = (name: string, otherwise: number): number =>
    Number(process.env[`BPFMAPD_MODEL_${name}`] ?? otherwise);
  const first = numberOf("SEED", Date.now() % 1_000_000_000);
  // A seed is asked for to see it again.
  const count = numberOf("SEEDS", process.env.BPFMAPD_MODEL_SEED ? 1 : usual.seeds);
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  return { seeds, steps: numberOf("STEPS", usual.steps) };
}
