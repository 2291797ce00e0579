import { join } from "node:path";
import { stringify } from "yaml";
import type { z } from "zod";
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
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => fault([...issue.path, key], "is no setting", layers));
  }
  return [fault(issue.path, issue.message, layers)];
}

function fault(
  path: readonly PropertyKey[],
  message: string,
  layers: readonly SettingLayer[],
): string {
  const name = path.length === 0 ? "the configuration" : tellPath(path);
  const layer = layers.findLast(({ values }) => valueAt(values, path) !== undefined);
  const source = layer?.sourceOf(path) ?? "";
  return source === "" ? `${name} ${message}` : `${name} (${source}) ${message}`;
}

/** Such as listen.tcp[0].address. */
function tellPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
