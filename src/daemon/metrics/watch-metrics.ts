import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import {
  type FeedState,
  RESYNC_REASONS,
  type ResyncReason,
  type Scan,
  type WatchHub,
  type WatchObserver,
} from "../../watch/index.js";

const SCAN_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics of what happens in watches. */
export class WatchMetrics implements WatchObserver {
  readonly #scans: Histogram;
  readonly #resyncs: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#scans = new Histogram({
      name: "bpfmapd_watch_scan_duration_seconds",
      help: "How long scans of watched maps took.",
      buckets: SCAN_BUCKETS,
      registers,
    });
    this.#resyncs = new Counter({
      name: "bpfmapd_watch_resyncs_total",
      help: "How often a subscriber had to start over, by reason.",
      labelNames: ["reason"],
      registers,
    });
    // There from the start: a rate needs the 0 before the first 1.
    for (const reason of RESYNC_REASONS) this.#resyncs.inc({ reason }, 0);
  }

  scanned({ startedMs, finishedMs }: Scan): void {
    this.#scans.observe(Math.max(0, finishedMs - startedMs) / 1000);
  }

  resynced(reason: ResyncReason): void {
    this.#resyncs.inc({ reason });
  }
}

/** Metrics of how watches are doing, read from the hub by each scrape. */
export function addWatchGauges(registry: Registry, hub: WatchHub): void {
  const registers = [registry];
  new Gauge({
    name: "bpfmapd_watch_subscribers",
    help: "Watches that run.",
    registers,
    collect() {
      this.set(hub.watchCount);
    },
  });
  new Gauge({
    name: "bpfmapd_watched_maps",
    help: "Maps that are watched, by what changes are learnt from.",
    labelNames: ["source"],
    registers,
    collect() {
      for (const source of ["poll", "trace", "syscall"]) {
        this.set({ source }, watched(hub).filter((feed) => feed.source === source).length);
      }
    },
  });
  new Gauge({
    name: "bpfmapd_watch_lag_seconds",
    help: "Age of what subscribers of a map know: time since it was last scanned or looked at.",
    labelNames: ["map_id", "map_name"],
    registers,
    collect() {
      this.reset();
      for (const { mapId, mapName, lastScan } of watched(hub)) {
        if (!lastScan) continue;
        const lag = Math.max(0, Date.now() - lastScan.finishedMs) / 1000;
        this.set({ map_id: mapId, map_name: mapName }, lag);
      }
    },
  });
}

/** Feeds that rest are no watches. */
function watched(hub: WatchHub): FeedState[] {
  return hub.feeds.filter(({ subscribers }) => subscribers > 0);
}
