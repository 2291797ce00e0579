import { create, createFileRegistry, type FileRegistry } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The registry of files, whatever order they come in; throws where an import is missing. */
export function fileRegistry(files: readonly FileDescriptorProto[]): FileRegistry {
  const byName = new Map(files.map((file) => [file.name, file]));
  const sorted = new Set<FileDescriptorProto>();
  const add = (name: string) => {
    const file = byName.get(name);
    if (!file || sorted.has(file)) return;
    for (const imported of file.dependency) add(imported);
    sorted.add(file);
  };
  for (const name of byName.keys()) add(name);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...sorted] }));
}
