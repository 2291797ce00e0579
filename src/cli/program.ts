import { DEFAULT_ADDRESS } from "@bpfmapd/client";
import { Command, CommanderError } from "commander";
import { CliError } from "./cli-error.js";
import { completionScript, SHELLS } from "./commands/completion.js";
import { host } from "./commands/host.js";
import {
  AUTH_VERBS,
  BPFTOOL_VERBS,
  FEATURE_VERBS,
  FLEET_VERBS,
  OWN_VERBS,
  SET_VERBS,
} from "./commands/index.js";
import { CliContext } from "./context.js";
import { EXIT_CODE_HELP, ExitCode } from "./exit-code.js";
import { jsonText } from "./format/json-writer.js";
import { addGlobalOptions, type GlobalOptions } from "./global-options.js";
import { Words } from "./grammar/words.js";
import type { Terminal } from "./terminal.js";
import type { Verb } from "./verb.js";
import { cliVersion } from "./version.js";

const GRAMMAR_HELP = `MAP := { id MAP_ID | pinned FILE | name MAP_NAME | held HOLD_NAME }
DATA := { [hex] BYTES }
PROG := { id PROG_ID | pinned FILE }
KEY := { DATA | task PID | path PATH | socket PID FD |
         cgroup PATH [attach_type N] }
VALUE := { DATA | PROG | MAP | interface NAME [program PROG] | cgroup PATH |
           queue SIZE [program PROG] | socket PID FD |
           event { cpu CPU | PID FD } }
Bytes are decimal, 0x hexadecimal or 0 octal; after hex all are hexadecimal.`;

const GLOBAL_OPTIONS_HELP =
  "Options of every command, such as --json and --address: bpfmapctl --help";

/** Longer grammars stand in the command's own help only: the rest needs a terminal's width. */
const LONGEST_USAGE = 22;

/** A program that is ready to parse, and what its run leaves behind. */
export interface Program {
  readonly command: Command;
  /** What the command that ran wants the process to end with. */
  exitCode: number;
}

/** Builds the command tree. Verbs are added in the order in which prefixes are tried. */
export function buildProgram(terminal: Terminal): Program {
  const command = new Command("bpfmapctl");
  const program: Program = { command, exitCode: ExitCode.OK };
  command
    .description("The eBPF maps of a host or a fleet, over gRPC, with the grammar of bpftool.")
    .usage("[OPTIONS] { map | feature | auth | fleet | host } { COMMAND | help }")
    .helpCommand("help [command]", "tell about a command")
    .helpOption("-h, --help", "tell about a command")
    .configureHelp({ subcommandTerm })
    .exitOverride()
    // Errors are told by run.ts, in one line or as JSON.
    .configureOutput({
      outputError: () => {},
      writeOut: (text) => void terminal.out.write(text).catch(() => {}),
      writeErr: (text) => void terminal.stderr.write(text),
    })
    .addHelpText("after", `\n${EXIT_CODE_HELP}\n\n${examplesText(PROGRAM_EXAMPLES)}`);
  addGlobalOptions(command, DEFAULT_ADDRESS);
  command.option("-V, --version", "print the version");
  command.hook("preAction", async () => {
    if (command.opts().version !== true) return;
    await printVersion(terminal, command);
    throw new CommanderError(ExitCode.OK, "version", "");
  });
  command.argument("[words...]").action((words: string[]) => {
    if (words.length === 0) command.help({ error: true });
    throw new CliError(`unknown command '${words[0]}'; bpfmapctl --help lists them`);
  });

  const map = inherit(command.command("map"), command).description("work with maps");
  map
    .usage("COMMAND [ARGUMENTS]")
    .addHelpText("after", `\n${GRAMMAR_HELP}\n\n${GLOBAL_OPTIONS_HELP}`);
  map.commandsGroup("Commands as in bpftool:");
  for (const verb of BPFTOOL_VERBS) addVerb(program, map, verb, terminal);
  map.commandsGroup("Further commands:");
  for (const verb of OWN_VERBS) addVerb(program, map, verb, terminal);

  const feature = inherit(command.command("feature"), command);
  feature.description("tell what the host's kernel can do").usage("probe [kernel]");
  feature.addHelpText("after", `\n${GLOBAL_OPTIONS_HELP}`);
  for (const verb of FEATURE_VERBS) addVerb(program, feature, verb, terminal);

  const auth = inherit(command.command("auth"), command);
  auth.description("ask what the daemon's policy allows").usage("can-i VERB [MAP]");
  auth.addHelpText("after", `\n${GLOBAL_OPTIONS_HELP}`);
  for (const verb of AUTH_VERBS) addVerb(program, auth, verb, terminal);

  const fleet = inherit(command.command("fleet"), command);
  fleet.description("work with many hosts, by a relay").usage("COMMAND [ARGUMENTS]");
  fleet.addHelpText("after", `\n${GLOBAL_OPTIONS_HELP}`);
  for (const verb of FLEET_VERBS) addVerb(program, fleet, verb, terminal);
  const set = inherit(fleet.command("set"), command);
  set.description("what maps are to have on many hosts").usage("COMMAND [ARGUMENTS]");
  set.addHelpText("after", `\n${GLOBAL_OPTIONS_HELP}`);
  for (const verb of SET_VERBS) addVerb(program, set, verb, terminal);

  addVerb(program, command, host, terminal);
  addCompletion(command, terminal);
  inherit(command.command("version"), command)
    .description("print the version")
    .action(() => printVersion(terminal, command));
  return program;
}

function addVerb(program: Program, parent: Command, verb: Verb, terminal: Terminal): void {
  const command = inherit(
    parent.command(verb.name, { hidden: verb.hidden ?? false }),
    program.command,
  )
    .summary(verb.summary)
    .description([verb.summary, verb.details].filter(Boolean).join("\n\n"))
    .argument("[words...]")
    .usage(`${verb.usage} [OPTIONS]`.trim());
  verb.addOptions?.(command);
  addExamples(command, verb.examples);
  command.action(async (words: string[], options: object) => {
    const context = new CliContext(program.command.opts<GlobalOptions>(), terminal);
    try {
      const exitCode = await verb.run(context, new Words(words), options);
      program.exitCode = exitCode ?? ExitCode.OK;
    } finally {
      context.close();
    }
  });
}

function addCompletion(command: Command, terminal: Terminal): void {
  const completion = inherit(command.command("completion"), command)
    .description("print a script that completes commands in a shell")
    .argument("<shell>", SHELLS.join(", "))
    .action((shell: string) => terminal.out.write(completionScript(shell)));
  addExamples(completion, COMPLETION_EXAMPLES);
}

function addExamples(command: Command, examples: Verb["examples"]): void {
  if (examples.length > 0) command.addHelpText("after", `\n${examplesText(examples)}`);
  command.addHelpText("after", `\n${GLOBAL_OPTIONS_HELP}`);
}

async function printVersion(terminal: Terminal, command: Command): Promise<void> {
  const version = cliVersion();
  const { json, pretty } = command.opts<GlobalOptions>();
  if (!json && !pretty) return terminal.out.write(`bpfmapctl v${version}\n`);
  await terminal.out.write(
    jsonText(pretty ?? false, (writer) => {
      writer.startObject();
      writer.member("version", version);
      writer.endObject();
    }),
  );
}

/** A command in the list of commands: with its words where they are short enough for a list. */
function subcommandTerm(command: Command): string {
  const words = command
    .usage()
    .replace(/ ?\[options\]/i, "")
    .trim();
  return `${command.name()} ${words.length <= LONGEST_USAGE ? words : "..."}`.trimEnd();
}

/** Commands made from a parent that was set up later do not have its settings. */
function inherit(command: Command, from: Command): Command {
  return command.copyInheritedSettings(from);
}

const PROGRAM_EXAMPLES = [
  ["map show", "list maps"],
  ["-j map dump id 5", "the elements of one, as JSON"],
  ["map update name stats key 1 0 0 0 value hex 0a 0b 0c 0d", "change an element"],
  ["feature probe", "which map types the kernel has"],
  ["map lookup --help", "about one command"],
] as const;

const COMPLETION_EXAMPLES = [
  ["completion bash > /etc/bash_completion.d/bpfmapctl", "for bash"],
  ["completion zsh > /usr/share/zsh/vendor-completions/_bpfmapctl", "for zsh"],
  ["completion fish > ~/.config/fish/completions/bpfmapctl.fish", "for fish"],
] as const;

function examplesText(examples: readonly (readonly [string, string])[]): string {
  const lines = examples.map(([line, what]) => `  # ${what}\n  bpfmapctl ${line}`);
  return `Examples:\n${lines.join("\n")}`;
}
