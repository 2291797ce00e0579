import { parse } from "yaml";
import { ExitCode, StartError } from "./exit-code.js";
import { type SettingLayer, setAt } from "./setting-layer.js";
import { type SettingName, settingNames, variableOf } from "./setting-names.js";

/** Variable that names the configuration file where --config does not. */
export const CONFIG_VARIABLE = "BPFMAPD_CONFIG";

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings that the environment gives. Empty variables count as absent. */
export function readEnvironment(environment: Environment): SettingLayer {
  const values = {};
  const sources = new Map<string, string>();
  for (const name of settingNames) {
    const variable = [variableOf(name), name.commonVariable].find(
      (candidate) => candidate !== undefined && environment[candidate],
    );
    const text = variable && environment[variable];
    if (!variable || !text) continue;
    setAt(values, name.path, parseVariable(name, variable, text));
    sources.set(name.path.join("."), variable);
  }
  return { values, sourceOf: (path) => sourceAt(sources, path) };
}

/**
 * Variables that look like settings and are none. Not refused: Kubernetes sets some of
 * its own (BPFMAPD_SERVICE_HOST) where a service is called bpfmapd.
 */
export function unknownVariables(environment: Environment): string[] {
  const known = new Set([CONFIG_VARIABLE, ...settingNames.map(variableOf)]);
  return Object.keys(environment).filter(
    (variable) => variable.startsWith("BPFMAPD_") && !known.has(variable),
  );
}

/** The source of the value at a path, or of what lies above or below it. */
export function sourceAt(
  sources: ReadonlyMap<string, string>,
  path: readonly PropertyKey[],
): string {
  const wanted = path.map(String).join(".");
  for (const [known, source] of sources) {
    if (`${wanted}.`.startsWith(`${known}.`)) return source;
  }
  return "";
}

function parseVariable({ form }: SettingName, variable: string, text: string): unknown {
  if (form === "list") return text.split(",").map((part) => part.trim());
  if (form !== "yaml") return text;
  try {
    return parse(text);
  } catch (cause) {
    throw new StartError(
      ExitCode.CONFIGURATION,
      `${variable} is no valid YAML: ${(cause as Error).message.trimEnd()}`,
      { cause },
    );
  }
}
