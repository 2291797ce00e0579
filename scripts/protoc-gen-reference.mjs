/*
 * A plugin of buf (buf.gen.reference.yaml) that writes docs/reference/proto.md: services,
 * messages and enums of the contract with their comments, and the rules by which the daemon
 * judges requests.
 */
import { getOption, hasOption, ScalarType, toJson } from "@bufbuild/protobuf";
import { createEcmaScriptPlugin, getComments, runNodeJs } from "@bufbuild/protoplugin";

const INTRODUCTION = `# bpfmap.v1 and bpfmap.fleet.v1

<!-- Generated from proto/bpfmap (make generate): change the comments there. -->

The contract of bpfmapd: of one host, and of a fleet of hosts. "Rule" is what a request is refused by, with INVALID_ARGUMENT, before
anything is done: protovalidate's names, as they stand in the proto files.
`;

runNodeJs(
  createEcmaScriptPlugin({
    name: "protoc-gen-reference",
    version: "v1",
    // Markdown has nothing to transpile: one file, whatever the target.
    generateTs: (schema) => schema.generateFile("proto.md").print(reference(schema).trimEnd()),
  }),
);

function reference({ files, allFiles }) {
  const rules = rulesReader(allFiles);
  const services = files.flatMap((file) => file.services);
  const sections = files.map((file) => fileSection(file, rules)).filter(Boolean);
  return [
    INTRODUCTION,
    contents(services, files),
    ...services.map(serviceSection),
    ...sections,
  ].join("\n");
}

function contents(services, files) {
  const calls = services.map(
    (service) => `- ${link(service)}: ${service.methods.map((method) => link(method)).join(", ")}`,
  );
  const types = files
    .filter((file) => typesOf(file).length > 0)
    .map(
      (file) =>
        `- ${baseName(file)}: ${typesOf(file)
          .map((type) => link(type))
          .join(", ")}`,
    );
  return `${[...calls, ...types].join("\n")}\n`;
}

function serviceSection(service) {
  const methods = service.methods.map((method) => {
    const stream = (kind) =>
      method.methodKind === kind || method.methodKind === "bidi_streaming" ? "stream of " : "";
    const request = `${stream("client_streaming")}${link(method.input)}`;
    const response = `${stream("server_streaming")}${link(method.output)}`;
    return `### ${nameOf(method)}\n\n${request} → ${response}\n\n${commentOf(method)}\n`;
  });
  return [`## ${service.name}\n\n${commentOf(service)}\n`, ...methods].join("\n");
}

function fileSection(file, rules) {
  const types = typesOf(file);
  if (types.length === 0) return "";
  const sections = types.map((type) => {
    const members = type.kind === "enum" ? type.values.map(enumValue) : type.members.map(member);
    const body = paragraphs(commentOf(type), ruleLine(rules(type)), members.join("\n"));
    return `### ${nameOf(type)}\n\n${body}\n`;
  });
  return [`## ${baseName(file)}\n`, ...sections].join("\n");

  function member(desc) {
    if (desc.kind !== "oneof") return field(desc);
    const head = paragraphs(`- one of **${desc.name}**`, commentOf(desc), ruleLine(rules(desc)));
    return indented([head, "", ...desc.fields.map(field)].join("\n"));
  }

  function field(desc) {
    const head = `- **${desc.name}** = ${desc.number}, ${typeOf(desc)}`;
    return indented(paragraphs(head, commentOf(desc), ruleLine(rules(desc))));
  }
}

function enumValue(value) {
  return indented(paragraphs(`- **${value.name}** = ${value.number}`, commentOf(value)));
}

const ruleLine = (rules) => (rules.length === 0 ? "" : `Rule: ${rules.join(", ")}`);

const paragraphs = (...texts) => texts.filter(Boolean).join("\n\n");

/** Gives the rules of a message, oneof or field, in words of protovalidate. */
function rulesReader(allFiles) {
  const file = allFiles.find(({ name }) => name === "buf/validate/validate");
  const options = new Map(file.extensions.map((option) => [option.name, option]));
  return (desc) => {
    const option = options.get(desc.kind);
    if (!option || !hasOption(desc, option)) return [];
    const json = toJson(option.message, getOption(desc, option), { useProtoFieldName: true });
    const { cel = [], ...plain } = json;
    const said = cel.map(({ message, expression }) => message || `\`${expression}\``);
    return [...flat(plain).map((rule) => `\`${rule}\``), ...said];
  };
}

function flat(rules, path = "") {
  return Object.entries(rules).flatMap(([name, value]) => {
    const here = path === "" ? name : `${path}.${name}`;
    if (value === true) return here;
    if (typeof value === "object" && !Array.isArray(value)) return flat(value, here);
    // 64-bit integers are strings in JSON.
    return `${here} = ${/^\d+$/.test(value) ? value : JSON.stringify(value)}`;
  });
}

function typeOf(field) {
  switch (field.fieldKind) {
    case "scalar":
      return ScalarType[field.scalar].toLowerCase();
    case "message":
      return link(field.message);
    case "enum":
      return link(field.enum);
    case "list":
      return `repeated ${typeOf({ ...elementOf(field), fieldKind: field.listKind })}`;
    case "map":
      return `map of ${ScalarType[field.mapKey].toLowerCase()} to ${typeOf({ ...elementOf(field), fieldKind: field.mapKind })}`;
  }
}

const elementOf = ({ scalar, message, enum: of }) => ({ scalar, message, enum: of });

function typesOf(file) {
  const nested = (message) => [
    message,
    ...message.nestedEnums,
    ...message.nestedMessages.flatMap(nested),
  ];
  return [...file.messages.flatMap(nested), ...file.enums];
}

const baseName = (file) => `${file.name.split("/").at(-1)}.proto`;

/** "Outer.Inner", "Service.Method": the full name without the package. */
function nameOf(desc) {
  if (desc.kind === "rpc") return `${desc.parent.name}.${desc.name}`;
  return desc.typeName.replace(/^bpfmap\.v1\./, "");
}

/** A link to the heading of what this file describes; the name alone of anything else. */
function link(desc) {
  const name = nameOf(desc);
  const shown = desc.kind === "rpc" ? desc.name : name;
  if (desc.kind !== "rpc" && !desc.typeName.startsWith("bpfmap.v1.")) return `\`${shown}\``;
  return `[${shown}](#${name.replaceAll(".", "").toLowerCase()})`;
}

function commentOf(desc) {
  const { leading = "" } = getComments(desc);
  const text = leading.replace(/^ /gm, "").trimEnd();
  return text.replaceAll("<", "\\<").replaceAll("*", "\\*");
}

/** A list item whose paragraphs all belong to it. */
function indented(text) {
  return text.replace(/\n(?=[^\n])/g, "\n  ");
}
