/*
 * How TypeDoc writes docs/reference/typescript (make generate). Types of the contract are
 * described once, in docs/reference/proto.md: here they are links to it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { OptionDefaults } from "typedoc";

const client = new URL("../../clients/typescript/", import.meta.url);
const generated = ["src/gen/bpfmap/v1/", "src/gen/bpfmap/fleet/v1/"].map(
  (folder) => new URL(folder, client),
);

/** What is generated from the contract, and where proto.md describes each. */
function contractLinks() {
  const files = generated.flatMap((folder) =>
    readdirSync(folder).map((file) => new URL(file, folder)),
  );
  const names = files.flatMap((file) => {
    const source = readFileSync(file, "utf8");
    return [...source.matchAll(/^export (?:type|enum|const) (\w+)/gm)].map(([, name]) => name);
  });
  const heading = (name) => name.replace(/Schema$/, "").toLowerCase();
  return Object.fromEntries(names.map((name) => [name, `../proto.md#${heading(name)}`]));
}

/** @type {Partial<import("typedoc").TypeDocOptions & import("typedoc-plugin-markdown").PluginOptions>} */
export default {
  plugin: ["typedoc-plugin-markdown"],
  tsconfig: "../../clients/typescript/tsconfig.json",
  entryPoints: [
    "../../clients/typescript/src/index.ts",
    "../../clients/typescript/src/codec/index.ts",
  ],
  out: "../../docs/reference/typescript",
  name: "@bpfmapd/client",
  readme: "introduction.md",
  mergeReadme: true,
  router: "module",
  entryFileName: "README",
  externalSymbolLinkMappings: { "@bpfmapd/client": contractLinks() },
  blockTags: [...OptionDefaults.blockTags, "@generated"],
  // Parts of what is exported, shown where they stand.
  intentionallyNotExported: ["BootGuard", "MethodClient", "SingleOptions", "StructOf"],
  // A part of the public surface that nothing is said about fails `make generate`.
  // Paths of introduction.md are those of the page that it becomes.
  validation: { notExported: true, notDocumented: true, invalidLink: true, invalidPath: false },
  requiredToBeDocumented: [
    "Class",
    "Enum",
    "Function",
    "Interface",
    "Method",
    "TypeAlias",
    "Variable",
  ],
  treatWarningsAsErrors: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  typeDeclarationFormat: "table",
};
