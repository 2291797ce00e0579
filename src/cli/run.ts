import type { Command } from "commander";
import { complete, completionText } from "./completion/complete.js";
import { ExitCode } from "./exit-code.js";
import { expandWords } from "./expand.js";
import { jsonText } from "./format/json-writer.js";
import type { GlobalOptions } from "./global-options.js";
import { BrokenPipe } from "./output.js";
import { buildProgram } from "./program.js";
import { describeFailure } from "./report.js";
import type { Terminal } from "./terminal.js";

/** Runs one command line, the words after the program's name, and returns its exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = buildProgram(terminal);
  const { command } = program;
  try {
    // Asked by the scripts of `bpfmapctl completion`.
    if (args[0] === "complete" && args[1] === "--") {
      const found = await complete(command, args.slice(2), terminal);
      await terminal.out.write(completionText(found));
    } else {
      await command.parseAsync(expandWords(command, args), { from: "user" });
    }
    return program.exitCode;
  } catch (error) {
    // Somebody like `| head` has read enough: nothing is wrong.
    if (error instanceof BrokenPipe) return ExitCode.OK;
    return reportFailure(command, error, terminal);
  }
}

async function reportFailure(
  command: Command,
  error: unknown,
  { out, stderr }: Terminal,
): Promise<number> {
  const { json, pretty } = command.opts<GlobalOptions>();
  const { message, exitCode } = describeFailure(error);
  if (message === "") return exitCode;
  // Where part of the output is out already, an error object would only look like more of it.
  if ((json || pretty) && !out.started) {
    const text = jsonText(pretty ?? false, (writer) => {
      writer.startObject();
      writer.member("error", message);
      writer.endObject();
    });
    await out.write(text);
  } else {
    stderr.write(`Error: ${message}\n`);
  }
  return exitCode;
}
