import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { makeConfig } from "#dist/daemon/config.js";
import { setAt, valueAt } from "#dist/daemon/setting-layer.js";
import { flagOf, settingNames, variableOf } from "#dist/daemon/setting-names.js";

const text = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");

/** A default as the documentation writes it, parsed as a configuration file would be. */
function documentedDefault(setting: string): string | undefined {
  const row = text.split("\n").find((line) => line.startsWith(`| \`${setting}\` | \`BPFMAPD_`));
  return row
    ?.split("|")[4]
    ?.trim()
    .match(/^`(.*)`$/)?.[1];
}

test.each(settingNames.map((name) => [name.path.join("."), name] as const))(
  "%s is documented with its variable, its flag and its default",
  (setting, name) => {
    expect(text).toContain(`| \`${setting}\` | \`${variableOf(name)}\``);
    expect(text).toContain(`\`${flagOf(name) ?? "--tcp"}`);
    const documented = documentedDefault(setting);
    // Lists, and defaults that are words, have no value to compare.
    if (documented === undefined || name.form !== undefined || setting.endsWith("_directory")) {
      return;
    }
    const values = {};
    setAt(values, name.path, documented);
    const asDocumented = makeConfig([{ values, sourceOf: () => "the documentation" }]);
    expect(valueAt(asDocumented, name.path)).toEqual(valueAt(makeConfig([]), name.path));
  },
);

test("the example is a valid configuration", () => {
  const example = text.match(/```yaml\n([\s\S]*?)```/)?.[1];
  makeConfig([{ values: parse(example ?? ""), sourceOf: () => "the example" }]);
});
