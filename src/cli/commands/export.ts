import { CliError } from "../cli-error.js";
import { FILES, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { ExitCode } from "../exit-code.js";
import { ExportWriter } from "../files/export-writer.js";
import { writeNewFile } from "../files/new-file.js";
import { objectTranslation } from "../files/object-translation.js";
import { takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import type { Verb } from "../verb.js";
import { incompleteText, streamDump } from "./dump.js";

interface ExportOptions {
  readonly force?: boolean;
}

async function run(
  context: CliContext,
  words: Words,
  options: ExportOptions,
): Promise<ExitCode | undefined> {
  const arg = takeMap(words);
  const map = context.mapRef(arg);
  const path = words.next("FILE");
  words.expectEnd();
  if (path === "-" && context.isTerminal) {
    throw new CliError("an export is no text for a terminal: give a FILE or a pipe");
  }
  const { host } = await context.client.host.getHost({}, context.call);
  const translation = await objectTranslation(context, arg);
  const progress = context.progress({ label: "exporting" });
  const exportTo = async (write: (bytes: Uint8Array) => Promise<void>) => {
    const writer = new ExportWriter(host!, write, translation);
    const summary = await streamDump(context, { map }, writer, progress);
    return { summary, count: writer.count };
  };

  let done: Awaited<ReturnType<typeof exportTo>> | undefined;
  if (path === "-") {
    done = await exportTo((bytes) => context.out.write(bytes));
  } else {
    await writeNewFile(path, options.force ?? false, async (file) => {
      done = await exportTo(async (bytes) => {
        await file.writeFile(bytes);
      });
    });
    await report(context, done!.count);
  }
  if (done!.summary.complete) return undefined;
  context.note(`Warning: the export is not complete: ${incompleteText(done!.summary)}`);
  return ExitCode.INCOMPLETE;
}

async function report(context: CliContext, count: bigint): Promise<void> {
  if (!context.json) {
    await context.out.write(`exported ${count} ${count === 1n ? "element" : "elements"}\n`);
    return;
  }
  await context.printJson((json) => {
    json.startObject();
    json.member("exported", count);
    json.endObject();
  });
}

export const exportVerb: Verb<ExportOptions> = {
  name: "export",
  usage: "MAP FILE",
  summary: "write a map's spec and elements to a file, with a checksum",
  details:
    "Inner maps are named by their pins where they have any, else by id; programs by id: those " +
    "are good until the host boots. Sockets, and what the kernel does not tell, cannot be " +
    "exported.\n" +
    "FILE appears only once it is whole; - is standard output. `map import` reads it. " +
    "Exit code 10 where the map changed too fast to be read completely.",
  examples: [
    ["map export name stats stats.bpfmap", "to a file"],
    ["map export id 5 - | zstd > stats.bpfmap.zst", "to a pipe"],
  ],
  addOptions: (command) => command.option("--force", "replace FILE where it exists"),
  complete: afterMap((words) => (words.length === 0 ? FILES : NOTHING)),
  run,
};
