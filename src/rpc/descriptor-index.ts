import {
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** The descriptors of a set of services, as the reflection service is asked for them. */
export class DescriptorIndex {
  /** Full names of the services. */
  readonly services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #messages = new Set<string>();
  readonly #extensions: DescExtension[] = [];

  /** @param further files of messages that no service names, such as error details */
  constructor(services: readonly DescService[], further: readonly DescFile[] = []) {
    this.services = services.map(({ typeName }) => typeName);
    for (const { file } of services) this.#add(file);
    for (const file of further) this.#add(file);
  }

  /** The file of this name and all that it imports, serialized; undefined where there is none. */
  fileByName(name: string): Uint8Array[] | undefined {
    return withImports(this.#files.get(name));
  }

  /** The file that declares a service, method, message, field, oneof, enum, enum value or extension. */
  fileOfSymbol(symbol: string): Uint8Array[] | undefined {
    return withImports(this.#symbols.get(symbol));
  }

  /** The file that declares the extension of a message with this field number. */
  fileOfExtension(extendee: string, number: number): Uint8Array[] | undefined {
    const extension = this.#extensions.find(
      (one) => one.extendee.typeName === extendee && one.number === number,
    );
    return withImports(extension?.file);
  }

  /** Field numbers of a message's extensions; undefined where there is no such message. */
  extensionNumbers(extendee: string): number[] | undefined {
    if (!this.#messages.has(extendee)) return undefined;
    return this.#extensions
      .filter((extension) => extension.extendee.typeName === extendee)
      .map(({ number }) => number);
  }

  #add(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const imported of file.dependencies) this.#add(imported);
    for (const type of nestedTypes(file)) {
      this.#symbols.set(type.typeName, file);
      if (type.kind === "extension") this.#extensions.push(type);
      if (type.kind === "message") this.#messages.add(type.typeName);
      for (const member of memberNames(type)) this.#symbols.set(member, file);
    }
  }
}

type Type = ReturnType<typeof nestedTypes> extends Iterable<infer T> ? T : never;

function memberNames(type: Type): string[] {
  switch (type.kind) {
    case "message":
      return messageMembers(type);
    case "service":
      return type.methods.map(({ name }) => `${type.typeName}.${name}`);
    case "enum": {
      // Values are named beside their enum, not below it.
      const scope = type.typeName.slice(0, type.typeName.length - type.name.length);
      return type.values.map(({ name }) => `${scope}${name}`);
    }
    case "extension":
      return [];
  }
}

function messageMembers({ typeName, fields, oneofs }: DescMessage): string[] {
  return [...fields, ...oneofs].map(({ name }) => `${typeName}.${name}`);
}

function withImports(file: DescFile | undefined): Uint8Array[] | undefined {
  if (file === undefined) return undefined;
  const files = new Set<DescFile>();
  const collect = (one: DescFile) => {
    if (files.has(one)) return;
    files.add(one);
    for (const imported of one.dependencies) collect(imported);
  };
  collect(file);
  return [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
}
