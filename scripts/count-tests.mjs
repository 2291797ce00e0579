// Prints one line from test reports: "tests: N passed, N failed[, N skipped]". A report is
// vitest's JSON, the lines of `go test -json`, or JUnit's XML (*.xml) of pytest.
// A file or package that failed outside of its tests, as in a hook, counts as one failure,
// and so does a report that is not there or not whole: its tests did not run to their end.
// Usage: node scripts/count-tests.mjs REPORT...
import { readFileSync } from "node:fs";

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  const counts = countsOf(path);
  for (const outcome of Object.keys(sum)) sum[outcome] += counts[outcome];
}
const tail = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
console.log(`tests: ${sum.passed} passed, ${sum.failed} failed${tail}`);

function countsOf(path) {
  try {
    const text = readFileSync(path, "utf8");
    if (path.endsWith(".xml")) return countJunit(text);
    return /^\{"(Time|ImportPath)":/.test(text) ? countGo(text) : countVitest(JSON.parse(text));
  } catch (error) {
    console.error(`No test report in ${path} (${error.message})`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
function countVitest(report) {
  const brokenFiles = report.testResults.filter(
    (file) =>
      file.status === "failed" && file.assertionResults.every(({ status }) => status !== "failed"),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function countJunit(text) {
  const suite = /<testsuite [^>]*>/.exec(text)[0];
  const count = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)[1]);
  const failed = count("failures") + count("errors");
  const skipped = count("skipped");
  return { passed: count("tests") - failed - skipped, failed, skipped };
}

/** A test with subtests counts beside them, as go test itself counts. */
function countGo(text) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const kinds = { pass: "passed", fail: "failed", skip: "skipped" };
  const failedTests = new Set();
  const ended = new Set();
  const started = new Set();
  for (const line of text.trimEnd().split("\n")) {
    const { Action: action, Package: name, Test: test } = JSON.parse(line);
    if (action === "start") started.add(name);
    const kind = kinds[action];
    if (kind === undefined) continue;
    if (test !== undefined) {
      counts[kind] += 1;
      if (action === "fail") failedTests.add(name);
      continue;
    }
    ended.add(name);
    if (action === "fail" && !failedTests.has(name)) counts.failed += 1;
  }
  counts.failed += [...started].filter((name) => !ended.has(name)).length;
  return counts;
}
