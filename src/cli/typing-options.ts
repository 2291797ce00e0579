import type { Map as BpfMap, TypingSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { CliError } from "./cli-error.js";
import { parseU32 } from "./grammar/number.js";

/** Types for a map, as requests take them. */
export type Typing = MessageInitShape<typeof TypingSchema>;

/** Options of verbs that print or read elements by type. */
export interface TypingOptions {
  readonly types?: string;
  readonly keyType?: string;
  readonly valueType?: string;
  readonly hex?: boolean;
}

/** Adds the options; those that only read elements have nothing to print in bytes. */
export function addTypingOptions(command: Command, prints = true): Command {
  command
    .option(
      "--types <where>",
      'where types are: "vmlinux", a kernel module, prog:ID, prog:PIN or btf:ID (default: the map)',
    )
    .option("--key-type <name>", 'type of the keys, such as "struct flow_key"')
    .option("--value-type <name>", "type of the values, of one CPU's in a per-CPU map");
  return prints ? command.option("--hex", "print bytes, though there are types") : command;
}

/** The types that the options name; undefined for the map's own. */
export function typingOf({ types, keyType, valueType }: TypingOptions): Typing | undefined {
  if (types === undefined && keyType === undefined && valueType === undefined) return undefined;
  return {
    ...(types !== undefined && { source: sourceOf(types) }),
    keyType: keyType ?? "",
    valueType: valueType ?? "",
  };
}

/** Whether a map's elements are printed by type: as in bpftool, where the value has one. */
export function isTyped(map: BpfMap, options: TypingOptions): boolean {
  if (options.hex) return false;
  const hasTypes = map.btfValueTypeId > 0 || map.btfVmlinuxValueTypeId > 0;
  return hasTypes || typingOf(options) !== undefined;
}

function sourceOf(where: string): NonNullable<Typing["source"]> {
  const [, kind, what = ""] = /^(prog|btf):(.+)$/.exec(where) ?? [];
  if (kind === "btf") return { case: "btfId", value: parseU32(what, "--types btf") };
  if (kind === "prog") {
    const ref = what.startsWith("/")
      ? { case: "pinPath" as const, value: what }
      : { case: "id" as const, value: parseU32(what, "--types prog") };
    return { case: "program", value: { ref } };
  }
  if (where.includes(":")) throw new CliError(`--types: "${where}" names no place for types`);
  return { case: "kernel", value: where };
}
