import type { Command, Option } from "commander";
import { SHELLS } from "../commands/completion.js";
import {
  AUTH_VERBS,
  BPFTOOL_VERBS,
  FEATURE_VERBS,
  FLEET_VERBS,
  OWN_VERBS,
  SET_VERBS,
} from "../commands/index.js";
import { CliContext } from "../context.js";
import { expandWords } from "../expand.js";
import type { GlobalOptions } from "../global-options.js";
import { MAP_TYPE_NAMES } from "../grammar/map-type.js";
import type { Terminal } from "../terminal.js";
import { type Candidate, type Completion, NOTHING, oneOf } from "./candidates.js";

/** Options whose value is the name of a file on this host. */
const FILE_OPTIONS = ["--tls-ca", "--tls-cert", "--tls-key", "--token-file"];

/**
 * What can stand in place of the last of the words, which is not whole yet. Words are
 * those after the program's name.
 */
export async function complete(
  program: Command,
  words: readonly string[],
  terminal: Terminal,
): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const line = readLine(program, words.slice(0, -1), terminal.env);
  const option = line.pending;
  const found =
    option === undefined
      ? current.startsWith("-")
        ? optionWords(program, line.command)
        : await wordsAfter(program, line, terminal)
      : optionValues(option);
  return {
    candidates: found.candidates.filter(({ value }) => value.startsWith(current)),
    files: found.files ?? false,
  };
}

/** The command line so far. */
interface Line {
  readonly command: Command;
  /** The whole words after the command. */
  readonly operands: readonly string[];
  /** An option whose value is being written. */
  readonly pending: Option | undefined;
  /** Values of options so far, by their names in the options object. */
  readonly values: Readonly<Record<string, unknown>>;
}

function readLine(program: Command, words: readonly string[], env: NodeJS.ProcessEnv): Line {
  // A line that ends with an object alone asks for its verb, not for the default one.
  const expanded = expandWords(program, words).slice(0, words.length);
  const values: Record<string, unknown> = valuesOf(program, env);
  const operands: string[] = [];
  let command = program;
  for (let at = 0; at < expanded.length; at++) {
    const word = expanded[at]!;
    if (word.startsWith("-") && word !== "-") {
      const [name, attached] = word.split("=", 2) as [string, string | undefined];
      const option = findOption([command, program], name);
      if (option === undefined || !option.required) continue;
      const value = attached ?? expanded[++at];
      if (value === undefined) return { command, operands, pending: option, values };
      setValue(values, option, value);
      continue;
    }
    const next = operands.length === 0 && command.commands.find((it) => it.name() === word);
    if (next) command = next;
    else operands.push(word);
  }
  return { command, operands, pending: undefined, values };
}

/** Commander reads the environment only where it parses a whole command line. */
function valuesOf(program: Command, env: NodeJS.ProcessEnv): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const option of program.options) {
    const value = option.envVar === undefined ? undefined : env[option.envVar];
    if (value !== undefined) setValue(values, option, value);
  }
  return values;
}

/** A value that is no good is as if it were not there: completion has nowhere to say so. */
function setValue(values: Record<string, unknown>, option: Option, text: string): void {
  try {
    values[option.attributeName()] = option.parseArg?.(text, undefined) ?? text;
  } catch {
    // It will be told when the command is run.
  }
}

function findOption(commands: readonly Command[], name: string): Option | undefined {
  return commands
    .flatMap((command) => command.options)
    .find((option) => option.long === name || option.short === name);
}

function optionWords(program: Command, command: Command): Completion {
  const candidates = [...command.options, ...(command === program ? [] : program.options)]
    .filter((option) => !option.hidden && option.long !== undefined)
    .map((option): Candidate => ({ value: option.long!, description: option.description }));
  return { candidates: [...candidates, { value: "--help", description: "tell about a command" }] };
}

function optionValues(option: Option): Completion {
  if (option.argChoices !== undefined) return oneOf(...option.argChoices);
  if (option.long === "--type") return oneOf(...MAP_TYPE_NAMES);
  return option.long !== undefined && FILE_OPTIONS.includes(option.long)
    ? { candidates: [], files: true }
    : NOTHING;
}

async function wordsAfter(
  program: Command,
  { command, operands, values }: Line,
  terminal: Terminal,
): Promise<Completion> {
  if (command.commands.length > 0) {
    if (operands.length > 0) return NOTHING;
    return {
      candidates: command
        .createHelp()
        .visibleCommands(command)
        .map((it) => ({ value: it.name(), description: it.summary() || it.description() })),
    };
  }
  if (command.name() === "completion" && operands.length === 0) return oneOf(...SHELLS);
  const verb = verbsOf(command.parent?.name()).find(({ name }) => name === command.name());
  if (verb?.complete === undefined) return NOTHING;
  const context = new CliContext({ ...program.opts<GlobalOptions>(), ...values }, terminal);
  try {
    return await verb.complete(operands, context);
  } finally {
    context.close();
  }
}

function verbsOf(object: string | undefined) {
  switch (object) {
    case "feature":
      return FEATURE_VERBS;
    case "auth":
      return AUTH_VERBS;
    case "fleet":
      return FLEET_VERBS;
    case "set":
      return SET_VERBS;
    default:
      return [...BPFTOOL_VERBS, ...OWN_VERBS];
  }
}

/** The answer in the form that the shell scripts read. */
export function completionText({ candidates, files }: Completion): string {
  const lines = candidates.map(({ value, description }) =>
    description ? `${value}\t${description.split("\n")[0]}` : value,
  );
  if (files) lines.push(":files");
  return lines.map((line) => `${line}\n`).join("");
}
