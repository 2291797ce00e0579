import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { COMMANDS, HARNESS_COMMANDS } from "./commands.js";

const DIRECTORY = resolve(import.meta.dirname, "../cases");

const command = z.enum([...Object.keys(COMMANDS), ...HARNESS_COMMANDS]);
const json = z.record(z.string(), z.unknown());

const step = z
  .strictObject({
    /** The command's name and arguments, as the only member of an object. */
    do: z.partialRecord(command, json).refine((each) => Object.keys(each).length === 1),
    answers: json.optional(),
    fails: z
      .strictObject({
        code: z.string(),
        reason: z.string(),
        fields: z.array(z.string()).optional(),
      })
      .optional(),
  })
  .refine(({ answers, fails }) => !(answers && fails), "a step answers or fails");

const conformanceCase = z.strictObject({
  case: z.string(),
  /** MapSpec of the map to make; `elements` are written to it. Absent for no map. */
  map: z
    .strictObject({
      type: z.string(),
      key_size: z.number(),
      value_size: z.number(),
      max_entries: z.number(),
      flags: z.number().default(0),
      elements: z.array(z.tuple([z.string(), z.string()])).default([]),
    })
    .optional(),
  steps: z.array(step).min(1),
});

export type Case = z.infer<typeof conformanceCase>;
export type Step = z.infer<typeof step>;

/** The cases of each file, by the file's name without its ending. */
export function readCases(): [file: string, cases: Case[]][] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(DIRECTORY, name), "utf8");
      return [name.replace(".yaml", ""), z.array(conformanceCase).parse(parse(text))];
    });
}
