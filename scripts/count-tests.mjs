// Prints one line from vitest's JSON report: "tests: N passed, N failed[, N skipped]".
// A file that failed before any of its tests ran counts as one failure.
// Usage: node scripts/count-tests.mjs REPORT
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const brokenFiles = report.testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.length === 0,
).length;
const failed = report.numFailedTests + brokenFiles;
const skipped = report.numPendingTests + report.numTodoTests;
const tail = skipped > 0 ? `, ${skipped} skipped` : "";
console.log(`tests: ${report.numPassedTests} passed, ${failed} failed${tail}`);
