import type { Logger } from "pino";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MapHost } from "../../maps/index.js";
import type { WatchHub } from "../../watch/index.js";
import type { Config } from "../config.js";
import { CallMetrics } from "./call-metrics.js";
import { addHostGauges } from "./host-metrics.js";
import { MapSurvey } from "./map-survey.js";
import { MetricsServer } from "./metrics-server.js";
import { addSurveyGauges } from "./survey-metrics.js";
import { addWatchGauges, WatchMetrics } from "./watch-metrics.js";

/** Gauges of prom-client with a name that only counters may have, which promtool refuses. */
const MISNAMED = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);

/** What metrics tell of a host's maps. */
export interface MeasuredMaps {
  readonly host: MapHost;
  readonly hub: WatchHub;
}

/** The daemon's metrics for Prometheus; docs/observability.md lists them. */
export class Metrics {
  readonly calls: CallMetrics;
  readonly watches: WatchMetrics;
  readonly #registry = new Registry();
  #survey: MapSurvey | undefined;
  #server: MetricsServer | undefined;

  constructor(version: string) {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    const info = new Gauge({
      name: "bpfmapd_build_info",
      help: "Always 1; its label tells the daemon's version.",
      labelNames: ["version"],
      registers: [this.#registry],
    });
    info.set({ version }, 1);
    this.calls = new CallMetrics(this.#registry);
    this.watches = new WatchMetrics(this.#registry);
  }

  /** Serves the metrics, with those of a host's maps and watches where there are such; answers where. */
  async serve(
    address: string,
    { listen, metrics }: Config,
    measured: MeasuredMaps | undefined,
    log: Logger,
  ): Promise<string> {
    if (measured) {
      addHostGauges(this.#registry, measured.host);
      addWatchGauges(this.#registry, measured.hub);
    }
    this.#server = await MetricsServer.open(address, listen.unix, this.#registry, log);
    if (measured && metrics.maps.length > 0) {
      const { host } = measured;
      const { maps: patterns, max_maps: maxMaps, maps_interval_ms: intervalMs } = metrics;
      this.#survey = new MapSurvey(host, { patterns, maxMaps, intervalMs }, log);
      addSurveyGauges(this.#registry, this.#survey, host.capabilities);
    }
    return this.#server.address;
  }

  close(): void {
    this.#server?.close();
    this.#survey?.close();
  }
}
