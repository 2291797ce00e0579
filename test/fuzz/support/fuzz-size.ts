/** Where all random choices of the fuzz tests come from: BPFMAPD_FUZZ_SEED. */
export const SEED = Number(process.env.BPFMAPD_FUZZ_SEED ?? 20_201_126);

/** Requests that the fuzz tests send, all RPCs together: BPFMAPD_FUZZ_REQUESTS. */
export const REQUESTS = Number(process.env.BPFMAPD_FUZZ_REQUESTS ?? 200_000);

/** A seed for one part of the tests, so that each part can be run alone. */
export function seedOf(part: string): number {
  let seed = SEED >>> 0;
  for (const byte of Buffer.from(part)) seed = (Math.imul(seed, 31) + byte) >>> 0;
  return seed;
}

/**
 * The one request to send, such as "bpfmap.v1.MapService/GetMap#17"; all where there is
 * none: BPFMAPD_FUZZ_ONLY. Requests before it are made as well, but not sent.
 */
export const ONLY = process.env.BPFMAPD_FUZZ_ONLY;
