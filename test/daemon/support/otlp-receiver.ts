import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { fields, type WireField } from "./wire-fields.js";

/** A span as it was received. */
export interface ReceivedSpan {
  /** Lower-case hex. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly durationNs: bigint;
  /** Of the resource that it came from. */
  readonly resource: Readonly<Record<string, string | number>>;
}

/** A receiver of OTLP traces over HTTP with protobuf. */
export interface OtlpReceiver {
  /** Base URL. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Path and headers of each request. */
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
}

/** Starts a receiver that goes with the test. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      requests.push({ path: request.url ?? "", headers: request.headers });
      spans.push(...readSpans(Buffer.concat(parts)));
      response.writeHead(200, { "Content-Type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, spans, requests };
}

// Field numbers of opentelemetry/proto/{collector/trace/v1/trace_service,trace/v1/trace,
// common/v1/common,resource/v1/resource}.proto.

/** ExportTraceServiceRequest. */
function readSpans(bytes: Buffer): ReceivedSpan[] {
  return all(bytes, 1).flatMap((resourceSpans) => {
    const resource = attributes(all(resourceSpans, 1)[0] ?? Buffer.alloc(0), 1);
    return all(resourceSpans, 2).flatMap((scopeSpans) =>
      all(scopeSpans, 2).map((span) => readSpan(span, resource)),
    );
  });
}

function readSpan(span: Buffer, resource: ReceivedSpan["resource"]): ReceivedSpan {
  const [status = Buffer.alloc(0)] = all(span, 15);
  return {
    traceId: all(span, 1)[0]?.toString("hex") ?? "",
    spanId: all(span, 2)[0]?.toString("hex") ?? "",
    parentSpanId: all(span, 4)[0]?.toString("hex") ?? "",
    name: all(span, 5)[0]?.toString() ?? "",
    kind: Number(number(span, 6) ?? 0),
    durationNs: (number(span, 8) ?? 0n) - (number(span, 7) ?? 0n),
    attributes: attributes(span, 9),
    status: Number(number(status, 3) ?? 0),
    resource,
  };
}

/** The KeyValue messages in a field. */
function attributes(message: Buffer, field: number): Record<string, string | number> {
  return Object.fromEntries(
    all(message, field).map((pair) => {
      const [value = Buffer.alloc(0)] = all(pair, 2);
      const text = all(value, 1)[0]?.toString();
      return [all(pair, 1)[0]?.toString() ?? "", text ?? Number(number(value, 3) ?? 0)];
    }),
  );
}

function all(message: Buffer, field: number): Buffer[] {
  return fields(message).flatMap((one: WireField) =>
    one.number === field && Buffer.isBuffer(one.value) ? [one.value] : [],
  );
}

function number(message: Buffer, field: number): bigint | undefined {
  const found = fields(message).find((one) => one.number === field);
  return typeof found?.value === "bigint" ? found.value : undefined;
}
