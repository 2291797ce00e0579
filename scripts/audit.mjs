// Asks the registry for known vulnerabilities of what the daemon ships with, and fails where
// there are some. Not every registry answers that question: then it says so and does not fail.
import { spawnSync } from "node:child_process";

const { stdout, stderr } = spawnSync("npm", ["audit", "--omit=dev", "--json"], {
  encoding: "utf8",
  timeout: 120_000,
});
const report = parse(stdout);
const counts = report?.metadata?.vulnerabilities;

if (counts === undefined) {
  const reason = report?.message ?? report?.error?.summary ?? stderr.trim().split("\n")[0];
  console.log(`Not audited: the registry gives no answer (${reason || "none at all"}).`);
} else if (counts.total > 0) {
  for (const { name, severity, range } of Object.values(report.vulnerabilities)) {
    console.error(`${severity}: ${name} ${range}`);
  }
  console.error("Known vulnerabilities: `npm audit --omit=dev` tells more.");
  process.exitCode = 1;
} else {
  console.log(`Audited ${report.metadata.dependencies.prod} packages: nothing is known.`);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
