#!/usr/bin/env node
import { Output } from "./output.js";
import { run } from "./run.js";

// Node warns of what libraries do (grpc-js names IP addresses in TLS, DEP0123); those are
// no words for the user of a command.
process.noDeprecation = true;

const interruption = new AbortController();
// The first ^C ends the call, so that what was begun is taken back; the second ends all.
process.once("SIGINT", () => interruption.abort());
// Failed writes are told by Output.write; without a listener they would end the process first.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

const out = new Output(process.stdout);
const exitCode = await run(process.argv.slice(2), {
  out,
  isTerminal: process.stdout.isTTY === true,
  size: () =>
    process.stdout.isTTY
      ? { rows: process.stdout.rows, columns: process.stdout.columns }
      : undefined,
  stdin: process.stdin,
  stderr: process.stderr,
  env: process.env,
  signal: interruption.signal,
});

await out.flush();
// Standard input, where a load was interrupted, would keep the process for as long as
// somebody may write to it.
process.exit(exitCode);
