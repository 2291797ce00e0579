import { status } from "@grpc/grpc-js";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { CallCourse, CallObserver, ObservedCall } from "../../rpc/index.js";

/** A lookup takes a fraction of a millisecond, a dump of a large map seconds. */
const DURATION_BUCKETS = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
];

/** Labels of one RPC. Only methods that the daemon has are observed, so there are few. */
type RpcLabels = { readonly service: string; readonly method: string };

/** Metrics of all calls. */
export class CallMetrics implements CallObserver {
  readonly #labels = new Map<string, RpcLabels>();
  readonly #calls: Counter;
  readonly #inFlight: Gauge;
  readonly #durations: Histogram;
  readonly #elements: Counter;
  readonly #bytes: Counter;
  readonly #queued: Gauge;

  constructor(registry: Registry) {
    const labelNames = ["service", "method"];
    const common = { labelNames, registers: [registry] };
    this.#calls = new Counter({
      name: "bpfmapd_rpc_calls_total",
      help: "Calls that have ended, by their gRPC status.",
      labelNames: [...labelNames, "code"],
      registers: [registry],
    });
    this.#inFlight = new Gauge({
      name: "bpfmapd_rpc_in_flight",
      help: "Calls that have begun and not ended.",
      ...common,
    });
    this.#durations = new Histogram({
      name: "bpfmapd_rpc_duration_seconds",
      help: "Time from a call's headers to its status; of streams, all the time they ran.",
      buckets: DURATION_BUCKETS,
      ...common,
    });
    this.#elements = new Counter({
      name: "bpfmapd_streamed_elements_total",
      help: "Elements that dumps and watches sent, and that loads received.",
      ...common,
    });
    this.#bytes = new Counter({
      name: "bpfmapd_streamed_bytes_total",
      help: "Bytes of the keys and values of streamed elements.",
      ...common,
    });
    this.#queued = new Gauge({
      name: "bpfmapd_stream_queued_bytes",
      help: "Bytes of streamed answers that wait for slow clients.",
      ...common,
    });
  }

  begin({ rpc }: ObservedCall): CallCourse {
    const labels = this.#labelsOf(rpc);
    const stop = this.#durations.startTimer(labels);
    let isOver = false;
    let queued = 0;
    this.#inFlight.inc(labels);
    return {
      streamed: (elements, bytes) => {
        this.#elements.inc(labels, elements);
        this.#bytes.inc(labels, bytes);
      },
      queued: (bytes) => {
        if (isOver) return;
        queued += bytes;
        this.#queued.inc(labels, bytes);
      },
      ended: (code) => {
        isOver = true;
        stop();
        this.#inFlight.dec(labels);
        this.#calls.inc({ ...labels, code: status[code] });
        // What a cut connection has not taken will never be.
        if (queued !== 0) this.#queued.dec(labels, queued);
      },
    };
  }

  #labelsOf(rpc: string): RpcLabels {
    let labels = this.#labels.get(rpc);
    if (!labels) {
      const [service = "", method = ""] = rpc.split("/");
      labels = { service, method };
      this.#labels.set(rpc, labels);
    }
    return labels;
  }
}
