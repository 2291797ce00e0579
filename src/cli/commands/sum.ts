import type { GreatestKeys } from "@bpfmapd/client";
import { addFoldingOptions, askedOf, type FoldingOptions, fieldsOf } from "../aggregate-options.js";
import { onlyMap } from "../completion/map-words.js";
import { ExitCode } from "../exit-code.js";
import { plainHex } from "../format/hex.js";
import { type JsonValue, type JsonWriter, writeJson } from "../format/json-writer.js";
import type { Style } from "../format/style.js";
import { tableText } from "../format/table.js";
import { grouped, totalsText, writeTotals } from "../format/totals.js";
import { takeMap } from "../grammar/map-arg.js";
import { firstNumber } from "../grammar/number-field.js";
import { getMap } from "../maps.js";
import { isTyped } from "../typing-options.js";
import type { Verb } from "../verb.js";

export const sum: Verb<FoldingOptions> = {
  name: "sum",
  usage: "MAP",
  summary: "fold numbers of all elements on the host: sum, least, greatest, how they are spread",
  details:
    "Numbers of a per-CPU map are folded over the CPUs first, so that an element has one. Sums " +
    "do not wrap around.",
  examples: [
    ["map sum name flows --field value.packets --field value.bytes", "two numbers, by type"],
    ["map sum id 5 --field 8/u64 --top 10", "and the ten keys that have most"],
    ["map sum name latency --histogram", "how the numbers are spread"],
    ["-j map sum name flows --where 'value.verdict == DROPPED'", "for programs"],
  ],
  addOptions: addFoldingOptions,
  complete: onlyMap,
  async run(context, words, options): Promise<ExitCode | undefined> {
    const arg = takeMap(words);
    words.expectEnd();
    const map = await getMap(context, arg);
    const fields = options.field ?? [firstNumber(map.valueSize)];
    const progress = context.progress({ label: "folding" });
    const answer = await context
      .map(arg)
      .aggregate(fieldsOf(fields, options), {
        ...askedOf(options, isTyped(map, options)),
        ...context.longCall,
      })
      .finally(() => progress.stop());
    const totals = answer.totals.map((each, index) => ({ name: fields[index]!.text, ...each }));
    if (context.json) {
      await context.printJson((json) => {
        json.startObject();
        json.member("map_id", answer.mapId);
        json.member("elements", answer.elements);
        json.member("complete", answer.complete);
        json.member("read_finished", answer.readFinished.toISOString());
        writeTotals(json, totals);
        if (answer.top) writeTop(json, answer.top);
        json.endObject();
      });
    } else {
      await context.out.write(totalsText(totals, context.style));
      if (answer.top)
        await context.out.write(`\n${topText(answer.top, fields[0]!.text, context.style)}`);
    }
    if (answer.complete) return undefined;
    context.note("Warning: the map changed too fast to be read completely");
    return ExitCode.INCOMPLETE;
  },
};

function topText({ keys, othersMax }: GreatestKeys, field: string, style: Style): string {
  const rows = keys.map(({ key, json, number }) => ({
    number: grouped(number),
    key: json ?? plainHex(key),
  }));
  if (othersMax !== undefined) rows.push({ number: `<= ${grouped(othersMax)}`, key: "any other" });
  return tableText(
    rows,
    [
      { title: field, align: "right", cell: ({ number }) => number },
      { title: "KEY", cell: ({ key }) => key },
    ],
    style,
  );
}

function writeTop(json: JsonWriter, { keys, othersMax }: GreatestKeys): void {
  json.name("top");
  json.startArray();
  for (const { key, json: text, number } of keys) {
    json.startObject();
    json.name("key");
    json.bytes(key);
    if (text !== undefined) {
      json.name("formatted_key");
      writeJson(json, JSON.parse(text) as JsonValue);
    }
    json.member("number", number);
    json.endObject();
  }
  json.endArray();
  json.member("others_max", othersMax ?? null);
}
