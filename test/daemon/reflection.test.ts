import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "#dist/rpc/gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "#dist/rpc/gen/grpc/reflection/v1alpha/reflection_pb.js";
import { encoded, passThrough } from "../rpc/support/raw-server.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { fileRegistry } from "../support/file-registry.js";

type Question = ServerReflectionRequest["messageRequest"];

let daemon: TestDaemon;
let client: Client;
beforeAll(async () => {
  daemon = await startDaemon();
  client = new Client(`unix:${daemon.socket}`, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await daemon.dispose();
});

/** Asks all questions in one call, and ends it as clients do. */
async function ask(service: { typeName: string }, questions: Question[]) {
  const path = `/${service.typeName}/ServerReflectionInfo`;
  const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, passThrough, passThrough);
  for (const messageRequest of questions) {
    call.write(encoded(ServerReflectionRequestSchema, { host: "h", messageRequest }));
  }
  call.end();
  const answers = [];
  for await (const bytes of call) answers.push(fromBinary(ServerReflectionResponseSchema, bytes));
  return answers;
}

describe.each([
  ["v1", ServerReflection],
  ["v1alpha", ServerReflectionAlpha],
])("reflection %s", (_, service) => {
  test("lists all services", async () => {
    const [answer] = await ask(service, [{ case: "listServices", value: "" }]);
    expect(answer?.messageResponse).toMatchObject({
      case: "listServicesResponse",
      value: {
        service: [
          { name: "bpfmap.v1.MapService" },
          { name: "bpfmap.v1.HostService" },
          { name: "grpc.health.v1.Health" },
          { name: "grpc.reflection.v1.ServerReflection" },
          { name: "grpc.reflection.v1alpha.ServerReflection" },
        ],
      },
    });
  });

  test("describes them so that a client can build them, custom options included", async () => {
    const [answer] = await ask(service, [
      { case: "fileContainingSymbol", value: "bpfmap.v1.MapService" },
    ]);
    if (answer?.messageResponse.case !== "fileDescriptorResponse") return expect.fail("no files");
    const files = answer.messageResponse.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    const registry = fileRegistry(files);
    const method = registry.getService("bpfmap.v1.MapService")?.method.getMap;
    expect(method?.input.field.map?.proto.options?.$unknown?.map(({ no }) => no)).toEqual([1159]);
  });

  test("answers a question that has fields unknown to it, nested as deep as can be", async () => {
    const [open, close] = [Buffer.of(0x7b), Buffer.of(0x7c)]; // a group with the number 15
    const groups = [...Array(99).fill(open), ...Array(99).fill(close)];
    const path = `/${service.typeName}/ServerReflectionInfo`;
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, passThrough, passThrough);
    const question = { host: "h", messageRequest: { case: "listServices", value: "" } } as const;
    call.write(Buffer.concat([encoded(ServerReflectionRequestSchema, question), ...groups]));
    call.end();
    const answers = [];
    for await (const bytes of call) answers.push(fromBinary(ServerReflectionResponseSchema, bytes));
    expect(answers).toMatchObject([{ originalRequest: question, validHost: "h" }]);
  });

  test("answers each question in order, what it does not know too", async () => {
    const answers = await ask(service, [
      { case: "fileByFilename", value: "bpfmap/v1/map.proto" },
      { case: "fileContainingSymbol", value: "no.such.Symbol" },
      { case: "allExtensionNumbersOfType", value: "google.protobuf.FieldOptions" },
      {
        case: "fileContainingExtension",
        value: {
          $typeName: "grpc.reflection.v1.ExtensionRequest",
          containingType: "google.protobuf.FieldOptions",
          extensionNumber: 1159,
        },
      },
      { case: undefined },
    ]);
    expect(answers.map(({ messageResponse }) => messageResponse)).toMatchObject([
      { case: "fileDescriptorResponse" },
      { case: "errorResponse", value: { errorCode: status.NOT_FOUND } },
      {
        case: "allExtensionNumbersResponse",
        value: { extensionNumber: expect.arrayContaining([1159]) },
      },
      { case: "fileDescriptorResponse" },
      { case: "errorResponse", value: { errorCode: status.INVALID_ARGUMENT } },
    ]);
    expect(answers[0]).toMatchObject({
      validHost: "h",
      originalRequest: { messageRequest: { value: "bpfmap/v1/map.proto" } },
    });
  });
});

/** As scripts/install-grpcurl.sh, which `make test` runs, puts it there. */
const GRPCURL = resolve(import.meta.dirname, "../.cache/bin/grpcurl");

describe("grpcurl", () => {
  const target = () => `unix://${daemon.socket}`;
  const grpcurl = (...args: string[]) => {
    const { stdout, stderr, error } = spawnSync(GRPCURL, ["-plaintext", ...args], {
      encoding: "utf8",
      timeout: 30_000,
    });
    if (error) throw error; // not there: scripts/install-grpcurl.sh
    return stdout + stderr;
  };

  test("lists, describes and calls", () => {
    expect(grpcurl(target(), "list").split("\n")).toContain("bpfmap.v1.MapService");
    expect(grpcurl(target(), "describe", "bpfmap.v1.CreateMapRequest")).toContain(
      "buf.validate.field",
    );
    expect(grpcurl(target(), "bpfmap.v1.HostService/GetHost")).toContain(
      '"daemonVersion": "0.1.0"',
    );
    expect(grpcurl(target(), "grpc.health.v1.Health/Check")).toContain("SERVING");
  });

  test("prints the details of errors", () => {
    const answer = grpcurl("-d", '{"map": {"id": 0}}', target(), "bpfmap.v1.MapService/GetMap");
    expect(answer).toContain('"reason": "FIELD_INVALID"');
    expect(answer).toContain('"field": "map.id"');
  });

  test("decodes a dump, whose chunks are written by hand", async () => {
    const { client: maps } = daemon;
    await maps.maps.createMap({
      spec: { type: 1, keySize: 2, valueSize: 2, maxEntries: 8 },
      hold: { name: "curled" },
      initialElements: { count: 1, keys: Buffer.from("k1"), values: Buffer.from("v1") },
    });
    const request = '{"map": {"held": "curled"}}';
    const answer = grpcurl("-d", request, target(), "bpfmap.v1.MapService/DumpMap");
    expect(answer).toContain(`"keys": "${Buffer.from("k1").toString("base64")}"`);
    expect(answer).toContain(`"values": "${Buffer.from("v1").toString("base64")}"`);
  });
});
