import type { Logger } from "pino";
import type { CallObserver } from "../rpc/index.js";
import type { WatchObserver } from "../watch/index.js";
import type { Config } from "./config.js";
import type { MeasuredMaps, Metrics } from "./metrics/metrics.js";
import type { Tracing } from "./tracing/tracing.js";

/**
 * What tells others how the daemon is doing: metrics and traces, each if it is asked for.
 * Their libraries are not even loaded otherwise.
 */
export class Observation {
  readonly #config: Config;
  readonly #metrics: Metrics | undefined;
  readonly #tracing: Tracing | undefined;

  private constructor(config: Config, metrics?: Metrics, tracing?: Tracing) {
    this.#config = config;
    this.#metrics = metrics;
    this.#tracing = tracing;
  }

  static async open(config: Config, version: string, log: Logger): Promise<Observation> {
    const { listen } = config.metrics;
    const { otlp_endpoint: endpoint } = config.tracing;
    const metrics = listen && new (await import("./metrics/metrics.js")).Metrics(version);
    const tracing =
      endpoint && new (await import("./tracing/tracing.js")).Tracing(endpoint, version, log);
    return new Observation(config, metrics || undefined, tracing || undefined);
  }

  /** To be told of calls. */
  get calls(): CallObserver[] {
    return [this.#metrics?.calls, this.#tracing].filter((observer) => observer !== undefined);
  }

  /** To be told of watches. */
  get watches(): WatchObserver | undefined {
    return this.#metrics?.watches;
  }

  /** Serves the metrics; answers where, and undefined where there are none. */
  async serve(maps: MeasuredMaps | undefined, log: Logger): Promise<string | undefined> {
    const { listen } = this.#config.metrics;
    if (listen === undefined) return undefined;
    return this.#metrics?.serve(listen, this.#config, maps, log);
  }

  /** Serves no more, and sends the last spans. Before the maps are closed, which metrics are read from. */
  async close(): Promise<void> {
    this.#metrics?.close();
    await this.#tracing?.close();
  }
}
