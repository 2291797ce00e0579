import { BpfmapError, status } from "@bpfmapd/client";
import { CommanderError } from "commander";
import { CliError, Interrupted, messageOf } from "./cli-error.js";
import { ExitCode, exitCodeOfStatus } from "./exit-code.js";

/** What is told of a failure, and what the process ends with. */
export interface Failure {
  /** One line for a person; "" where everything has been said. */
  readonly message: string;
  readonly exitCode: number;
}

/** Tells what went wrong. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof Interrupted) return { message: "", exitCode: ExitCode.INTERRUPTED };
  if (error instanceof CommanderError) return describeUsage(error);
  if (error instanceof BpfmapError) return describeStatus(error);
  if (error instanceof CliError) return { message: error.message, exitCode: ExitCode.USAGE };
  return { message: messageOf(error), exitCode: ExitCode.USAGE };
}

/** Help and version end as an "error" of commander with exit code 0. */
function describeUsage(error: CommanderError): Failure {
  if (error.exitCode === 0) return { message: "", exitCode: ExitCode.OK };
  // "(outputHelp)" is commander's message where it has shown the help instead.
  if (error.code === "commander.help") return { message: "", exitCode: ExitCode.USAGE };
  // Its suggestions stand on a line of their own.
  const message = error.message.replace(/^error: /, "").replaceAll("\n", " ");
  return { message, exitCode: ExitCode.USAGE };
}

function describeStatus(error: BpfmapError): Failure {
  const exitCode = exitCodeOfStatus(error.code);
  if (error.code === status.CANCELLED) return { message: "interrupted", exitCode };
  if (error.code === status.UNAVAILABLE && error.reason === "") {
    const message = error.message.replace(/\.+$/, "");
    return {
      message: `${message}. Is it running? --address or BPFMAPCTL_ADDRESS says where`,
      exitCode,
    };
  }
  // The message often tells of the one violation that there is; it is not told twice.
  const only = error.violations.length === 1;
  const further = error.violations
    .filter(({ field, description }) => {
      return !error.message.includes(only ? description : `${field}: ${description}`);
    })
    .map(({ field, description }) => `${field}: ${description}`);
  return { message: [error.message, ...further].join("; ").replaceAll("\n", " "), exitCode };
}
