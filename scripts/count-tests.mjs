// Prints one line from vitest's JSON reports: "tests: N passed, N failed[, N skipped]".
// A file that failed before any of its tests ran counts as one failure, and so does a
// report that is not there or not whole: its tests did not run to their end.
// Usage: node scripts/count-tests.mjs REPORT...
import { readFileSync } from "node:fs";

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  const report = readReport(path);
  if (report === undefined) {
    sum.failed += 1;
    continue;
  }
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  sum.passed += report.numPassedTests;
  sum.failed += report.numFailedTests + brokenFiles;
  sum.skipped += report.numPendingTests + report.numTodoTests;
}
const tail = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
console.log(`tests: ${sum.passed} passed, ${sum.failed} failed${tail}`);

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    console.error(`No test report in ${path} (${error.message})`);
    return undefined;
  }
}
