import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { ExitCode, StartError } from "./exit-code.js";
import { overlay, type SettingLayer, valueAt } from "./setting-layer.js";
import { type Settings, settingsSchema } from "./settings.js";

/** The settings in force, with all defaults filled in. */
export type Config = Settings & { bpffs: { hold_directory: string } };

/**
 * Lays the layers over each other, the last on top, and checks the result. Throws a
 * StartError that lists everything that is wrong and where it came from.
 */
export function makeConfig(layers: readonly SettingLayer[]): Config {
  const values = layers.reduce<unknown>((lower, { values: upper }) => overlay(lower, upper), {});
  const result = settingsSchema.safeParse(values);
  if (!result.success) {
    const faults = result.error.issues.flatMap((issue) => describeIssue(issue, layers));
    throw new StartError(
      ExitCode.CONFIGURATION,
      `the configuration is not valid:\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
    );
  }
  const { bpffs } = result.data;
  const hold_directory = bpffs.hold_directory ?? join(bpffs.roots[0] as string, "bpfmapd");
  return { ...result.data, bpffs: { ...bpffs, hold_directory } };
}

/** The settings as a configuration file that would give the same. */
export function printConfig(config: Config): string {
  const { unix } = config.listen;
  return stringify({
    ...config,
    listen: {
      ...config.listen,
      unix: { ...unix, mode: octal(unix.mode), directory_mode: octal(unix.directory_mode) },
    },
  });
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function describeIssue(issue: z.core.$ZodIssue, layers: readonly SettingLayer[]): string[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => fault([...path, key], "is no setting", layers));
    case "invalid_type":
      return [fault(path, describeType(issue.expected, layers, path), layers)];
    default:
      return [fault(path, issue.message, layers)];
  }
}

function describeType(
  expected: string,
  layers: readonly SettingLayer[],
  path: readonly PropertyKey[],
): string {
  const layer = layerOf(layers, path);
  if (layer === undefined) return "is missing";
  const wanted = { array: "a list", object: "settings by name", string: "text" }[expected];
  return `must be ${wanted ?? expected}, not ${JSON.stringify(valueAt(layer.values, path))}`;
}

function fault(
  path: readonly PropertyKey[],
  message: string,
  layers: readonly SettingLayer[],
): string {
  const source = sourceOf(path, layers);
  const name = z.core.toDotPath(path);
  return source === "" ? `${name} ${message}` : `${name} (${source}) ${message}`;
}

/** Where a value came from; for a missing one, where what it is missing from came from. */
function sourceOf(path: readonly PropertyKey[], layers: readonly SettingLayer[]): string {
  for (let length = path.length; length > 0; length--) {
    const layer = layerOf(layers, path.slice(0, length));
    if (layer !== undefined) return layer.sourceOf(path);
  }
  return "";
}

function layerOf(
  layers: readonly SettingLayer[],
  path: readonly PropertyKey[],
): SettingLayer | undefined {
  return layers.findLast(({ values }) => valueAt(values, path) !== undefined);
}
