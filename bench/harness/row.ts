/** A row of the results: how a subject does beside a peer on the same work. */
export interface Row {
  case: string;
  subject: string;
  peer: string;
  /** Median over the runs of the ratio that `meaning` tells. */
  medianRatio: number;
  spread: { min: number; max: number };
  runs: number;
  /**
   * How many times faster the subject was (peer / subject), how many times more it took, or
   * how much of the bound that the design sets, which then is the peer: up to 1 it holds.
   */
  meaning: "peer / subject" | "subject / peer" | "subject / bound";
  unit: Unit;
  subjectMedian: number;
  peerMedian: number;
}

export type Unit = "seconds" | "MiB" | "cores" | "bytes" | "scans";

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

/** The row of a subject beside the most that it may take. */
export function boundRow(
  question: Omit<Question, "meaning">,
  subject: { name: string; amounts: number[] },
  bound: number,
): Row {
  const amounts = subject.amounts.map(() => bound);
  return row({ ...question, meaning: "subject / bound" }, subject, { name: "bound", amounts });
}

/** An amount for people. */
export function amount(number: number, unit: Unit): string {
  switch (unit) {
    case "MiB":
      return `${number.toFixed(0)} MiB`;
    case "cores":
      return `${number.toFixed(2)} cores`;
    case "bytes":
      return `${number.toFixed(1)} bytes`;
    case "scans":
      return `${number.toFixed(0)} scans`;
    case "seconds":
      return duration(number);
  }
}

function duration(seconds: number): string {
  if (seconds < 0.001) return `${(seconds * 1e6).toPrecision(3)} µs`;
  return seconds < 0.1 ? `${(seconds * 1000).toFixed(2)} ms` : `${seconds.toPrecision(3)} s`;
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
