import { amount, type Question, type Row, row } from "./row.js";

/** One way to do the work of a case. */
export interface Contender<Result = number> {
  name: string;
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
export async function compare(
  question: Question,
  subjects: Contender[],
  peers: Contender[],
  runs: number,
): Promise<Row[]> {
  const show = (taken: number) => amount(taken, question.unit);
  const contenders = [...subjects, ...peers];
  const results = await alternate(contenders, runs, show);
  const measured = contenders.map(({ name }, i) => ({ name, amounts: results[i] ?? [] }));
  const theirs = measured.splice(subjects.length);
  return measured.flatMap((ours) => theirs.map((peer) => row(question, ours, peer)));
}
