import { amount, type Question, type Row, row } from "./row.js";

/** One way to do the work of a case. */
export interface Contender<Result = number> {
  name: string;
  /** Whether each run is a process of its own, which nothing can warm up. */
  isNew?: boolean;
  /** Before each run; not timed. */
  prepare?(): Promise<void>;
  /** Does the work once and returns what it took. */
  run(): Promise<Result>;
}

/**
 * Runs all contenders in alternation, `runs` times each, so that what drifts on the
 * machine drifts for all. Returns their results in the order of the contenders. A
 * first round that does not count warms up what stays, such as the daemon.
 */
export async function alternate<Result>(
  contenders: Contender<Result>[],
  runs: number,
  show: (result: Result) => string,
): Promise<Result[][]> {
  const results: Result[][] = contenders.map(() => []);
  for (let run = 0; run <= runs; run++) {
    const counts = run > 0;
    for (const [i, contender] of contenders.entries()) {
      if (!counts && contender.isNew === true) continue;
      await contender.prepare?.();
      const result = await contender.run();
      if (counts) results[i]?.push(result);
      const note = counts ? "" : " (warm-up)";
      console.error(`  ${contender.name.padEnd(34)} ${show(result)}${note}`);
    }
  }
  return results;
}

/** Runs subjects and peers in alternation and compares each subject with each peer. */
export function compare(
  question: Question,
  subjects: Contender[],
  peers: Contender[],
  runs: number,
): Promise<Row[]> {
  const pairs = subjects.flatMap((subject) => peers.map((peer) => [subject, peer] as const));
  return comparePairs(question, pairs, runs);
}

/** Runs all contenders of the pairs in alternation and compares each subject with its peer. */
export async function comparePairs(
  question: Question,
  pairs: (readonly [subject: Contender, peer: Contender])[],
  runs: number,
): Promise<Row[]> {
  const show = (taken: number) => amount(taken, question.unit);
  const contenders = [...new Set([...pairs.map(([subject]) => subject), ...pairs.flat()])];
  const results = await alternate(contenders, runs, show);
  const measured = (contender: Contender) => ({
    name: contender.name,
    amounts: results[contenders.indexOf(contender)] ?? [],
  });
  return pairs.map(([subject, peer]) => row(question, measured(subject), measured(peer)));
}
