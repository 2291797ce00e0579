#!/usr/bin/env node
import type { Command } from "commander";
import { complete, completionText } from "./completion/complete.js";
import type { Terminal } from "./context.js";
import { ExitCode } from "./exit-code.js";
import { expandWords } from "./expand.js";
import { jsonText } from "./format/json-writer.js";
import type { GlobalOptions } from "./global-options.js";
import { BrokenPipe, Output } from "./output.js";
import { buildProgram } from "./program.js";
import { describeFailure } from "./report.js";

const interruption = new AbortController();
const out = new Output(process.stdout);
const terminal: Terminal = {
  out,
  isTerminal: process.stdout.isTTY === true,
  stderr: process.stderr,
  env: process.env,
  signal: interruption.signal,
};

// The first ^C ends the call, so that what was begun is taken back; the second ends all.
process.once("SIGINT", () => interruption.abort());
// Failed writes are told by Output.write; without a listener they would end the process first.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

await run(process.argv.slice(2));
// All output has been taken by now. Standard input, where a load was interrupted, would
// keep the process for as long as somebody writes to it.
process.exit();

async function run(args: readonly string[]): Promise<void> {
  const built = buildProgram(terminal);
  try {
    if (args[0] === "complete" && args[1] === "--") {
      await out.write(completionText(await complete(built.command, args.slice(2), terminal)));
    } else {
      await built.command.parseAsync(expandWords(built.command, args), { from: "user" });
    }
    process.exitCode = built.exitCode;
  } catch (error) {
    await fail(built.command, error);
  }
}

async function fail(command: Command, error: unknown): Promise<void> {
  // Somebody like `| head` has read enough: nothing is wrong.
  if (error instanceof BrokenPipe) process.exit(ExitCode.OK);
  const { json, pretty } = command.opts<GlobalOptions>();
  const { message, exitCode } = describeFailure(error);
  process.exitCode = exitCode;
  if (message === "") return;
  // Where part of the output is out already, an error object would only look like more of it.
  if ((json || pretty) && !out.started) {
    const text = jsonText(pretty ?? false, (writer) => {
      writer.startObject();
      writer.member("error", message);
      writer.endObject();
    });
    await out.write(text);
  } else {
    process.stderr.write(`Error: ${message}\n`);
  }
}
