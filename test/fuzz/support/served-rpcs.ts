import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "#dist/rpc/gen/grpc/reflection/v1/reflection_pb.js";
import { frames, messagesOf, type RawConnection } from "../../service/support/raw-grpc.js";
import { fileRegistry } from "../../support/file-registry.js";

const REFLECTION = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

type Question =
  | { readonly case: "listServices"; readonly value: string }
  | { readonly case: "fileContainingSymbol"; readonly value: string };

/**
 * Every RPC of every service that a daemon serves, as it describes them itself: one that
 * is added is here without anybody's doing.
 */
export async function servedRpcs(connection: RawConnection): Promise<DescMethod[]> {
  const listed = await ask(connection, { case: "listServices", value: "" });
  if (listed.case !== "listServicesResponse") throw new Error("the daemon lists no services");
  const services: DescService[] = [];
  for (const { name } of listed.value.service) {
    const answer = await ask(connection, { case: "fileContainingSymbol", value: name });
    if (answer.case !== "fileDescriptorResponse") throw new Error(`no descriptor of ${name}`);
    const files = answer.value.fileDescriptorProto.map((file) =>
      fromBinary(FileDescriptorProtoSchema, file),
    );
    const service = fileRegistry(files).getService(name);
    if (!service) throw new Error(`no service ${name} in its own file`);
    services.push(service);
  }
  return services.flatMap(({ methods }) => methods);
}

/** The path of an RPC without the first slash. */
export function rpcName({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

async function ask(
  connection: RawConnection,
  messageRequest: Question,
): Promise<ServerReflectionResponse["messageResponse"]> {
  const request = create(ServerReflectionRequestSchema, { messageRequest });
  const { body, status } = await connection.call(
    REFLECTION,
    frames(toBinary(ServerReflectionRequestSchema, request)),
  );
  const [answer] = messagesOf(body);
  if (status !== 0 || !answer) throw new Error(`reflection answered status ${status}`);
  return fromBinary(ServerReflectionResponseSchema, answer).messageResponse;
}
