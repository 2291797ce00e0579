import { Gauge, type Registry } from "prom-client";
import type { MapHost } from "../../maps/index.js";

/** Metrics of held maps and scan threads, read from the host by each scrape. */
export function addHostGauges(registry: Registry, { holds, threads }: MapHost): void {
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    ["bpfmapd_held_maps", "Maps that are held.", () => holds.counts.maps],
    ["bpfmapd_holds", "Holds on maps; one map may have several.", () => holds.counts.holds],
    ["bpfmapd_leases", "Holds that have a lease.", () => holds.counts.leases],
    ["bpfmapd_scans", "Scans that run: dumps, loads, counts and clears.", () => threads.jobCount],
    [
      "bpfmapd_scan_threads",
      "Threads that scans may take (limits.scan_threads).",
      () => threads.size,
    ],
    ["bpfmapd_scan_threads_busy", "Threads that work on scans now.", () => threads.busyCount],
  ];
  for (const [name, help, read] of gauges) {
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(read());
      },
    });
  }
}
