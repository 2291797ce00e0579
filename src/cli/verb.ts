import type { Command } from "commander";
import type { WordCompleter } from "./completion/candidates.js";
import type { CliContext } from "./context.js";
import type { ExitCode } from "./exit-code.js";
import type { Words } from "./grammar/words.js";

/** A command: its grammar for people, and what it does. */
export interface Verb<Options = object> {
  readonly name: string;
  /** The words after the verb, such as "MAP key DATA". */
  readonly usage: string;
  readonly summary: string;
  /** More about it, for its own --help. */
  readonly details?: string;
  /** Command lines without the program's name, each with a word on what it does. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** Whether to leave it out of lists of commands. */
  readonly hidden?: boolean;
  /** Adds the verb's own options. */
  readonly addOptions?: (command: Command) => void;
  /** What can stand at the end of the given words. */
  readonly complete?: WordCompleter;
  /** Does it. Returns the exit code where it is not 0. */
  run(context: CliContext, words: Words, options: Options): Promise<ExitCode | undefined>;
}
