import { Gauge, type Registry } from "prom-client";
import type { CapabilityTable, MapRecord } from "../../maps/index.js";
import { type MapSurvey, type SurveyedMap, UNCOUNTED_REASONS } from "./map-survey.js";

const MAP_LABELS = ["map_id", "map_name", "map_type", "pin", "hold"];

/** Metrics of the maps that are counted, read from the survey's last round by each scrape. */
export function addSurveyGauges(
  registry: Registry,
  survey: MapSurvey,
  capabilities: CapabilityTable,
): void {
  const addPerMap = (name: string, help: string, read: (found: SurveyedMap) => number) => {
    new Gauge({
      ...{ name, help, labelNames: MAP_LABELS, registers: [registry] },
      collect() {
        this.reset();
        for (const found of survey.last.maps) {
          this.set(labelsOf(found.map, capabilities), read(found));
        }
      },
    });
  };
  addPerMap("bpfmapd_map_elements", "Elements of a map.", ({ elements }) => elements);
  addPerMap(
    "bpfmapd_map_max_entries",
    "Elements that a map has room for.",
    ({ map }) => map.maxEntries,
  );
  addPerMap(
    "bpfmapd_map_fill_ratio",
    "Elements of a map as a part of its max_entries, from 0 to 1; 1 for arrays.",
    ({ map, elements }) => elements / map.maxEntries,
  );
  new Gauge({
    name: "bpfmapd_maps_not_counted",
    help: "Maps that metrics.maps names and that have no count, by reason.",
    labelNames: ["reason"],
    registers: [registry],
    collect() {
      const { uncounted } = survey.last;
      for (const reason of UNCOUNTED_REASONS) this.set({ reason }, uncounted[reason]);
    },
  });
  new Gauge({
    name: "bpfmapd_maps_counted_timestamp_seconds",
    help: "When the maps were last counted, in seconds since the epoch; 0 before the first time.",
    registers: [registry],
    collect() {
      this.set(survey.last.finishedMs / 1000);
    },
  });
}

function labelsOf(map: MapRecord, capabilities: CapabilityTable) {
  return {
    map_id: map.id,
    map_name: map.name,
    map_type: capabilities.of(map.type)?.name ?? String(map.type),
    // A map with several is told by the first, so that it has one series.
    pin: map.pinPaths[0] ?? "",
    hold: map.holds[0]?.name ?? "",
  };
}
