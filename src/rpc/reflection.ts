import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Server, status } from "@grpc/grpc-js";
import type { CallRuntime } from "./adapter/runtime.js";
import { addService, type ServiceHandlers } from "./adapter/service.js";
import type { DescriptorIndex } from "./descriptor-index.js";
import { reflectionRules } from "./gate/rpc-rules.js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "./gen/grpc/reflection/v1alpha/reflection_pb.js";

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

/** Both versions of gRPC's reflection service: v1alpha is what many tools still ask for. */
export const reflectionServices = [ServerReflection, ServerReflectionAlpha] as const;

/** Serves the descriptors of an index, custom options included. */
export function addReflection(server: Server, index: DescriptorIndex, runtime: CallRuntime): void {
  const handlers: ServiceHandlers<typeof ServerReflection> = {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(index, request),
        };
      }
    },
  };
  addService(server, ServerReflection, handlers, reflectionRules, runtime);
  // The same messages under another package name, and the adapter goes by the descriptor.
  const alpha = ServerReflectionAlpha as unknown as typeof ServerReflection;
  addService(server, alpha, handlers, reflectionRules, runtime);
}

function answer(
  index: DescriptorIndex,
  { messageRequest: question }: ServerReflectionRequest,
): Answer {
  switch (question.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: index.services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return files(index.fileByName(question.value), `file ${question.value}`);
    case "fileContainingSymbol":
      return files(index.fileOfSymbol(question.value), `symbol ${question.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      return files(
        index.fileOfExtension(containingType, extensionNumber),
        `extension ${extensionNumber} of ${containingType}`,
      );
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(question.value);
      if (numbers === undefined) return notFound(`message ${question.value}`);
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: question.value, extensionNumber: numbers },
      };
    }
    case undefined:
      return {
        case: "errorResponse",
        value: { errorCode: status.INVALID_ARGUMENT, errorMessage: "the request asks nothing" },
      };
  }
}

function files(fileDescriptorProto: Uint8Array[] | undefined, what: string): Answer {
  if (fileDescriptorProto === undefined) return notFound(what);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(what: string): Answer {
  return {
    case: "errorResponse",
    value: { errorCode: status.NOT_FOUND, errorMessage: `${what} is not part of this server` },
  };
}
