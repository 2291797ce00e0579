import type { Command } from "commander";
import { CliError } from "../cli-error.js";
import { FILES, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { readBlocks } from "../files/element-file.js";
import { parseRecords } from "../files/record-parser.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";

interface WriteRecordsOptions {
  readonly failWhenFull?: boolean;
}

async function run(
  context: CliContext,
  words: Words,
  options: WriteRecordsOptions,
): Promise<undefined> {
  const arg = takeMap(words);
  const path = words.done ? "-" : words.next("FILE");
  words.expectEnd();
  if (path === "-" && context.stdin.isTTY) {
    throw new CliError("give a FILE, or records on standard input");
  }
  const records = parseRecords(readBlocks(path, context.stdin, () => {}));
  const written = await context.map(arg).writeRecords(records, {
    ...context.longCall,
    failWhenFull: options.failWhenFull ?? false,
  });
  if (!context.json) {
    await context.out.write(`written ${written}\n`);
    return;
  }
  await context.printJson((json) => {
    json.startObject();
    json.member("written", written);
    json.endObject();
  });
}

function addOptions(command: Command): void {
  command.option("--fail-when-full", "fail where the ring has no room, instead of waiting for it");
}

export const writeRecords: Verb<WriteRecordsOptions> = {
  name: "write_records",
  usage: "MAP [FILE | -]",
  summary: "write records into a user ring buffer",
  details: `FILE has one record a line: hexadecimal bytes such as "0a 0b 0c" or "0a0b0c", or the JSON of \`-j map records\`. Empty lines and lines that begin with # are skipped. Records are written while they are read, and wait until a program has made room: an error in FILE leaves those before it written.

WARNING: a ring has one writer. Another process that writes into the same ring at the same time ruins its order; the daemon lets one call write at a time, but cannot see other processes.`,
  examples: [
    ["map write_records name commands commands.txt", "the lines of a file"],
    ["map write_records id 6 --fail-when-full < records.json", "standard input, without waiting"],
  ],
  addOptions,
  complete: afterMap((words) => (words.length === 0 ? FILES : NOTHING)),
  run,
};
