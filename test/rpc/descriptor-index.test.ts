import { ErrorInfoSchema, HostService, MapService } from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { DescriptorIndex } from "#dist/rpc/descriptor-index.js";
import { fileRegistry } from "../support/file-registry.js";

const index = new DescriptorIndex([MapService, HostService], [ErrorInfoSchema.file]);

function names(files: Uint8Array[] | undefined): string[] | undefined {
  return files?.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

describe("the index of descriptors", () => {
  test.each([
    ["bpfmap.v1.MapService", "bpfmap/v1/map_service.proto"],
    ["bpfmap.v1.MapService.GetMap", "bpfmap/v1/map_service.proto"],
    ["bpfmap.v1.Map", "bpfmap/v1/map.proto"],
    ["bpfmap.v1.Map.key_size", "bpfmap/v1/map.proto"],
    ["bpfmap.v1.MapRef.ref", "bpfmap/v1/map.proto"],
    ["bpfmap.v1.MapType", "bpfmap/v1/map.proto"],
    ["bpfmap.v1.MAP_TYPE_HASH", "bpfmap/v1/map.proto"],
    ["buf.validate.field", "buf/validate/validate.proto"],
    ["google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
    ["google.protobuf.FieldOptions", "google/protobuf/descriptor.proto"],
  ])("finds the file of %s", (symbol, file) => {
    expect(names(index.fileOfSymbol(symbol))?.[0]).toBe(file);
  });

  test("knows nothing of what is not there", () => {
    expect(index.fileOfSymbol("bpfmap.v1.Nothing")).toBeUndefined();
    expect(index.fileByName("nothing.proto")).toBeUndefined();
    expect(index.fileOfExtension("bpfmap.v1.Map", 1)).toBeUndefined();
    expect(index.extensionNumbers("bpfmap.v1.Nothing")).toBeUndefined();
  });

  test("finds extensions, which are the options of the contract's rules", () => {
    const numbers = index.extensionNumbers("google.protobuf.FieldOptions") ?? [];
    expect(numbers).toContain(1159);
    expect(names(index.fileOfExtension("google.protobuf.FieldOptions", 1159))?.[0]).toBe(
      "buf/validate/validate.proto",
    );
    expect(index.extensionNumbers("bpfmap.v1.Map")).toEqual([]);
  });

  test("gives files with all that they import, complete enough to build them", () => {
    const files = (index.fileByName("bpfmap/v1/map_service.proto") ?? []).map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    const registry = fileRegistry(files);
    expect(registry.getService("bpfmap.v1.MapService")?.methods).toHaveLength(
      MapService.methods.length,
    );
  });
});
