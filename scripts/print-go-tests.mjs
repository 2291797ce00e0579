// Prints what a person wants of `go test -json`: the result of each package, and all that
// failed tests, failed packages and failed builds said. Usage: go test -json | node print-go-tests.mjs
import { createInterface } from "node:readline";

const output = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const event = parse(line);
  const key = `${event.ImportPath ?? event.Package}\t${event.Test ?? ""}`;
  if (event.Output !== undefined) {
    output.set(key, [...(output.get(key) ?? []), event.Output]);
  }
  if (event.Action === "fail" || event.Action === "build-fail") {
    process.stdout.write((output.get(key) ?? []).join(""));
  } else if (event.Test === undefined && ["pass", "skip"].includes(event.Action)) {
    console.log(`${event.Action} ${event.Package} (${event.Elapsed ?? 0} s)`);
  }
  if (["pass", "skip", "fail"].includes(event.Action)) output.delete(key);
}

/** A line that is no event is what the go command itself says. */
function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    console.log(line);
    return {};
  }
}
