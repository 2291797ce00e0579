/** A row of the results: how a subject does beside a peer on the same work. */
export interface Row {
  case: string;
  subject: string;
  peer: string;
  /** Median over the runs of the ratio that `meaning` tells. */
  medianRatio: number;
  spread: { min: number; max: number };
  runs: number;
  /** How many times faster the subject was (peer / subject), or how many times more it took. */
  meaning: "peer / subject" | "subject / peer";
  unit: Unit;
  subjectMedian: number;
  peerMedian: number;
}

export type Unit = "seconds" | "MiB";

/** What is known of a row before it is measured. */
export type Question = Pick<Row, "case" | "meaning" | "unit">;

/** The row of a subject and a peer that ran in alternation: run by run, `ours` beside `theirs`. */
export function row(
  question: Question,
  subject: { name: string; amounts: number[] },
  peer: { name: string; amounts: number[] },
): Row {
  const ratios = subject.amounts.map((ours, run) => {
    const theirs = peer.amounts[run] ?? Number.NaN;
    return question.meaning === "peer / subject" ? theirs / ours : ours / theirs;
  });
  return {
    case: question.case,
    subject: subject.name,
    peer: peer.name,
    medianRatio: round(median(ratios)),
    spread: { min: round(Math.min(...ratios)), max: round(Math.max(...ratios)) },
    runs: ratios.length,
    meaning: question.meaning,
    unit: question.unit,
    subjectMedian: round(median(subject.amounts)),
    peerMedian: round(median(peer.amounts)),
  };
}

/** An amount for people. */
export function amount(number: number, unit: Unit): string {
  if (unit === "MiB") return `${number.toFixed(0)} MiB`;
  return number < 0.1 ? `${(number * 1000).toFixed(2)} ms` : `${number.toFixed(2)} s`;
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** To four significant digits: runs differ in the second. */
function round(number: number): number {
  return Number(number.toPrecision(4));
}
