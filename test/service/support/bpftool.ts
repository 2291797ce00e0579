import { spawnSync } from "node:child_process";
import { hex } from "./elements.js";

const MAX_OUTPUT = 1 << 30;

/** Runs bpftool with JSON output and fails unless it succeeds. */
export function bpftool(...args: string[]): unknown {
  const { answer, code, text } = run(args);
  if (code !== 0) throw new Error(`bpftool ${args.slice(0, 8).join(" ")}: ${code}: ${text}`);
  return answer;
}

/** The JSON that bpftool prints, as text: for what is too large to parse. */
export function bpftoolText(...args: string[]): Buffer {
  const { stdout, status, error } = spawnSync("bpftool", ["-j", ...args], {
    maxBuffer: MAX_OUTPUT,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`bpftool ${args.join(" ")}: ${status}`);
  return stdout;
}

/** Bytes as bpftool's JSON has them, without the brackets. */
export function jsonWords(bytes: Uint8Array): Buffer {
  const words = Buffer.alloc(bytes.length * 7, '"0x00",');
  const digits = Buffer.from("0123456789abcdef");
  for (let index = 0; index < bytes.length; index++) {
    words[index * 7 + 3] = digits[bytes[index]! >> 4]!;
    words[index * 7 + 4] = digits[bytes[index]! & 15]!;
  }
  return words.subarray(0, -1);
}

/** Runs several commands, whether they succeed or not: what each printed. */
export function bpftoolBatch(commands: readonly string[]): unknown[] {
  const { answer, code, text } = run(["batch", "file", "-"], `${commands.join("\n")}\n`);
  if (!Array.isArray(answer)) throw new Error(`bpftool batch: ${code}: ${text}`);
  return answer.map(({ output }: { output: unknown }) => output);
}

/** Whether bpftool succeeds. */
export function bpftoolCan(...args: string[]): boolean {
  return run(args).code === 0;
}

function run(args: readonly string[], input?: string) {
  const { stdout, stderr, status, error } = spawnSync("bpftool", ["-j", ...args], {
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT,
    input,
  });
  if (error) throw error;
  const answer: unknown = status === 0 && stdout.trim() !== "" ? JSON.parse(stdout) : undefined;
  return { answer, code: status, text: `${stdout.slice(0, 500)}${stderr}` };
}

/** Bytes as bpftool takes them on its command line. */
export function dataWords(bytes: Uint8Array): string[] {
  return [...bytes].map(String);
}

/** What of a map `bpftool -j map show` tells. */
export interface ShownMap {
  readonly id: number;
  /** The number where the type is newer than bpftool. */
  readonly type: string | number;
  readonly name?: string;
  readonly flags: number;
  readonly bytes_key: number;
  readonly bytes_value: number;
  readonly max_entries: number;
  readonly bytes_memlock: number;
  readonly frozen: number;
}

export function shownMap(id: number): ShownMap {
  return bpftool("map", "show", "id", String(id)) as ShownMap;
}

/**
 * Whether the kernel surely frees a map once nothing refers to it. It forgets a reference
 * to a prog_array that somebody opens by id in the moment after its last close, as any
 * listing of all maps does: prog_array_map_clear (kernel/bpf/arraymap.c) takes one for
 * work that is on its way already.
 */
export function freesSurely(type: ShownMap["type"]): boolean {
  return type !== "prog_array";
}

/** Whether the kernel still has a map. */
export function mapExists(id: number): boolean {
  return bpftoolCan("map", "show", "id", String(id));
}

interface DumpedElement {
  readonly key: readonly string[];
  readonly value?: readonly string[] | { readonly error: string };
  readonly values?: readonly { readonly cpu: number; readonly value: readonly string[] }[];
}

/**
 * A map's elements as `bpftool -j map dump` reads them: hex of each key, and of its value
 * or, with commas between, of the value of each CPU. Sorted by key.
 */
export function dumpByBpftool(id: number): [key: string, value: string][] {
  const elements = bpftool("map", "dump", "id", String(id)) as readonly DumpedElement[];
  return elements
    .map(({ key, value, values }): [string, string] => [hexOf(key), told(value, values)])
    .sort(byKey);
}

function told(value: DumpedElement["value"], values: DumpedElement["values"]): string {
  if (values) return values.map((slot) => hexOf(slot.value)).join(",");
  if (value && "error" in value) throw new Error(`bpftool could not read a value: ${value.error}`);
  return hexOf(value ?? []);
}

function hexOf(words: readonly string[]): string {
  return words.map((word) => word.slice(2)).join("");
}

/** Elements in the form of {@link dumpByBpftool}. */
export function asDumped(
  elements: Iterable<readonly [Uint8Array, Uint8Array]>,
  { valueSize, valueStride }: { readonly valueSize: number; readonly valueStride: number },
): [key: string, value: string][] {
  const slot = Math.ceil(valueSize / 8) * 8;
  const isPerCpu = valueStride !== valueSize;
  const tell = (value: Uint8Array): string => {
    if (!isPerCpu) return hex(value);
    return Array.from({ length: valueStride / slot }, (_, cpu) =>
      hex(value.subarray(cpu * slot, cpu * slot + valueSize)),
    ).join(",");
  };
  return Array.from(elements, ([key, value]): [string, string] => [hex(key), tell(value)]).sort(
    byKey,
  );
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
