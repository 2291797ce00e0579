import type { Command } from "commander";
import { isPrefix } from "./grammar/keyword.js";

/** What a command does where only its own name is given, as in bpftool. */
const DEFAULT_VERBS: Readonly<Record<string, string>> = { map: "show", feature: "probe" };

/**
 * Spells out the words that bpftool lets users shorten: the object ("m" for "map") and
 * its verb ("d" for "dump"), and adds the verb that is meant where there is none.
 * Words that match nothing stay as they are, for commander to refuse.
 */
export function expandWords(program: Command, args: readonly string[]): string[] {
  const expanded = [...args];
  let level: Command = program;
  let from = 0;
  for (;;) {
    const at = nextWord(program, expanded, from);
    if (at === undefined) break;
    const word = expanded[at]!;
    const name = matchName(level, word);
    if (name === undefined) return expanded;
    expanded[at] = name;
    const next = level.commands.find((command) => command.name() === name);
    if (next === undefined || next.commands.length === 0) return expanded;
    level = next;
    from = at + 1;
  }
  const verb = DEFAULT_VERBS[level.name()];
  const helps = expanded.some((word) => word === "-h" || word === "--help");
  if (level !== program && verb !== undefined && !helps) expanded.push(verb);
  return expanded;
}

/** The name that a word stands for. Commands come in the order in which prefixes are tried. */
function matchName(level: Command, word: string): string | undefined {
  const names = level.commands.map((command) => command.name());
  // bpftool's map verbs have "help" third, so that "h" is help and not our "hold".
  names.splice(2, 0, "help");
  return names.find((name) => name === word) ?? names.find((name) => isPrefix(word, name));
}

/** The position of the next word that is no option and no option's value. */
function nextWord(program: Command, args: readonly string[], from: number): number | undefined {
  for (let at = from; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") return undefined;
    if (arg === "-" || !arg.startsWith("-")) return at;
    if (takesNext(program, arg)) at++;
  }
  return undefined;
}

/** Whether an option's value is the argument after it. */
function takesNext(program: Command, arg: string): boolean {
  if (arg.startsWith("--")) {
    return program.options.some((option) => option.long === arg && option.required);
  }
  // In a group such as -jt the last may take a value; one before it would have it attached.
  const last = `-${arg.at(-1)}`;
  return program.options.some((option) => option.short === last && option.required);
}
