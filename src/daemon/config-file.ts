import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { ExitCode, StartError } from "./exit-code.js";
import type { SettingLayer } from "./setting-layer.js";

/** Reads a configuration file. Throws a StartError where there is none, or it is no YAML. */
export function readConfigFile(path: string): SettingLayer {
  return { values: parseConfig(path, readText(path)), sourceOf: () => path };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new StartError(
      ExitCode.CONFIGURATION,
      `cannot read the configuration file: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function parseConfig(path: string, text: string): unknown {
  const invalid = (why: string, cause?: unknown) =>
    new StartError(ExitCode.CONFIGURATION, `${path} is no configuration file: ${why}`, { cause });
  let values: unknown;
  try {
    values = parse(text, { prettyErrors: true });
  } catch (cause) {
    throw invalid((cause as Error).message.trimEnd(), cause);
  }
  // An empty file, or one of comments alone, sets nothing.
  if (values === null) return {};
  if (typeof values !== "object" || Array.isArray(values)) {
    throw invalid('it must have settings by name, such as "log: {level: warn}"');
  }
  return values;
}
