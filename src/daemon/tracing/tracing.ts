import { hostname } from "node:os";
import { type Metadata, status } from "@grpc/grpc-js";
import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
} from "@opentelemetry/api";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import type { CallCourse, CallObserver, ObservedCall } from "../../rpc/index.js";

/** How long spans that were not sent yet may hold up the daemon's end. */
const FLUSH_MS = 2000;

/** Statuses that are the server's fault, by OpenTelemetry's conventions for gRPC. */
const SERVER_FAULTS: ReadonlySet<status> = new Set([
  ...[status.UNKNOWN, status.DEADLINE_EXCEEDED, status.UNIMPLEMENTED],
  ...[status.INTERNAL, status.UNAVAILABLE, status.DATA_LOSS],
]);

/** Attributes for the ways to name a map. */
const MAP_ATTRIBUTES: Readonly<Record<string, string>> = {
  id: "bpfmap.map.id",
  pinPath: "bpfmap.map.pin_path",
  name: "bpfmap.map.name",
  held: "bpfmap.map.held",
};

const metadataGetter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

/** Sends a span for each call to an OTLP receiver. */
export class Tracing implements CallObserver {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #propagator = new W3CTraceContextPropagator();

  /** @param endpoint base URL of a receiver of OTLP over HTTP with protobuf */
  constructor(endpoint: string, version: string, log: Logger) {
    tellFailures(endpoint, log);
    const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces` });
    const resource = resourceFromAttributes({
      "service.name": "bpfmapd",
      "service.version": version,
      "host.name": hostname(),
      "process.pid": process.pid,
    });
    this.#provider = new TracerProvider({
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go over these.
      resource: resource.merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [new BatchSpanProcessor({ exporter })],
    });
    this.#tracer = this.#provider.getTracer("bpfmapd", version);
  }

  begin(call: ObservedCall): CallCourse {
    const kind = SpanKind.SERVER;
    const span = this.#tracer.startSpan(
      call.rpc,
      { kind, attributes: attributesOf(call) },
      this.#parentOf(call.metadata),
    );
    return {
      named: (by, value) => {
        span.setAttribute(MAP_ATTRIBUTES[by] ?? `bpfmap.map.${by}`, value);
      },
      ended: (code, details) => end(span, code, details),
    };
  }

  /** Sends what is left, if the receiver takes it soon. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MS);
    });
    await Promise.race([this.#provider.shutdown().catch(() => {}), enough]);
    clearTimeout(timer);
  }

  /** The caller's span, where it has sent one (W3C trace context). */
  #parentOf(metadata: Metadata): Context {
    return this.#propagator.extract(ROOT_CONTEXT, metadata, metadataGetter);
  }
}

function attributesOf({ rpc, peer }: ObservedCall): Attributes {
  const [service = "", method = ""] = rpc.split("/");
  return {
    "rpc.system": "grpc",
    "rpc.service": service,
    "rpc.method": method,
    ...(peer === "unix" ? { "network.transport": "unix" } : { "network.peer.address": peer }),
  };
}

function end(span: Span, code: status, details: string): void {
  span.setAttribute("rpc.grpc.status_code", code);
  if (SERVER_FAULTS.has(code)) span.setStatus({ code: SpanStatusCode.ERROR, message: details });
  span.end();
}

/** Without this nobody hears that a receiver takes no spans. */
function tellFailures(endpoint: string, log: Logger): void {
  const tell = (message: string, ...more: unknown[]) => log.warn({ more }, `tracing: ${message}`);
  const silent = () => {};
  diag.setLogger(
    { error: tell, warn: tell, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  setGlobalErrorHandler((exception) => {
    const why = exception instanceof Error ? exception.message : String(exception);
    log.warn({ endpoint, err: why }, "tracing: spans could not be sent and are dropped");
  });
}
