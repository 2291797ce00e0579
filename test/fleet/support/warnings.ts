import { onTestFinished } from "vitest";

/** What the runtime warns of while the test runs, such as of listeners that pile up. */
export function gatherWarnings(): Error[] {
  const warnings: Error[] = [];
  const gather = (warning: Error) => void warnings.push(warning);
  process.on("warning", gather);
  onTestFinished(() => void process.off("warning", gather));
  return warnings;
}
