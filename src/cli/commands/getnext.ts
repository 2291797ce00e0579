import { Format } from "@bpfmapd/client/proto";
import { anyOrder, NOTHING } from "../completion/candidates.js";
import { afterMap } from "../completion/map-words.js";
import type { CliContext } from "../context.js";
import { plainHex } from "../format/hex.js";
import { writeJson } from "../format/json-writer.js";
import { takeOptionalKey } from "../grammar/element-args.js";
import { type MapArg, takeMap } from "../grammar/map-arg.js";
import type { Words } from "../grammar/words.js";
import { getMap } from "../maps.js";
import { addTypingOptions, type TypingOptions, typingOf } from "../typing-options.js";
import type { Verb } from "../verb.js";

async function run(context: CliContext, words: Words, options: TypingOptions): Promise<undefined> {
  const arg = takeMap(words);
  const map = await getMap(context, arg);
  const key = takeOptionalKey(words, map);
  if (key && !(key instanceof Uint8Array)) return nextTyped(context, arg, key.json, options);
  const { nextKey } = await context.client.maps.nextKey(
    { map: context.mapRef(arg), ...(key === undefined ? {} : { key }) },
    context.call,
  );
  if (!context.json) {
    const before = key === undefined ? "key: None\n" : `key:\n${plainHex(key)}\n`;
    await context.out.write(`${before}next key:\n${plainHex(nextKey)}\n`);
    return;
  }
  await context.printJson((json) => {
    json.startObject();
    json.name("key");
    if (key === undefined) json.value(null);
    else json.bytes(key);
    json.name("next_key");
    json.bytes(nextKey);
    json.endObject();
  });
}

/** A key that is given as JSON is answered as JSON. */
async function nextTyped(
  context: CliContext,
  arg: MapArg,
  jsonKey: string,
  options: TypingOptions,
): Promise<undefined> {
  const typing = typingOf(options);
  const { nextJsonKey } = await context.client.maps.nextKey(
    { map: context.mapRef(arg), jsonKey, format: Format.JSON, ...(typing && { typing }) },
    context.call,
  );
  if (!context.json) {
    await context.out.write(`key:\n${jsonKey}\nnext key:\n${nextJsonKey}\n`);
    return;
  }
  await context.printJson((json) =>
    writeJson(json, { key: JSON.parse(jsonKey), next_key: JSON.parse(nextJsonKey) }),
  );
}

export const getnext: Verb<TypingOptions> = {
  name: "getnext",
  usage: "MAP [key DATA]",
  summary: "print the key after another, or the first one",
  details:
    "Keys come in the kernel's order. After the last key the exit code is 2; where the key is not " +
    "in the map, the kernel starts again with the first one.",
  examples: [
    ["map getnext id 5", "the first key"],
    ["map getnext id 5 key 1 0 0 0", "the key after it"],
  ],
  addOptions: (command) => addTypingOptions(command, false),
  complete: afterMap(anyOrder({ key: () => NOTHING })),
  run,
};
