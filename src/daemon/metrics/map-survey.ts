import type { Logger } from "pino";
import {
  compileGlob,
  countElements,
  listMaps,
  MapError,
  type MapHost,
  type MapRecord,
} from "../../maps/index.js";

/** Maps of one answer of the catalogue. */
const PAGE_SIZE = 500;

/** A map and how full it was found. */
export interface SurveyedMap {
  readonly map: MapRecord;
  readonly elements: number;
}

/**
 * Why a map of a wanted name has no count: there are more such maps than are counted, its
 * elements cannot be listed, or the count failed this time.
 */
export const UNCOUNTED_REASONS = ["limit", "type", "failed"] as const;

export type UncountedReason = (typeof UNCOUNTED_REASONS)[number];

/** What one round over the maps has found. */
export interface Survey {
  readonly maps: readonly SurveyedMap[];
  readonly uncounted: Readonly<Record<UncountedReason, number>>;
  /** When the round was over, in milliseconds since the epoch; 0 before the first. */
  readonly finishedMs: number;
}

export interface MapSurveyOptions {
  /** Shell patterns over map names. */
  readonly patterns: readonly string[];
  /** Most maps that are counted: those with the lowest ids. */
  readonly maxMaps: number;
  /** From the end of one round to the start of the next, in milliseconds. */
  readonly intervalMs: number;
}

/**
 * Counts the elements of chosen maps again and again, one map at a time in a scan thread,
 * so that no scrape waits for it.
 */
export class MapSurvey {
  readonly #host: MapHost;
  readonly #options: MapSurveyOptions;
  readonly #isWanted: (name: string) => boolean;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #last: Survey = { maps: [], uncounted: { limit: 0, type: 0, failed: 0 }, finishedMs: 0 };

  /** Begins at once. */
  constructor(host: MapHost, options: MapSurveyOptions, log: Logger) {
    this.#host = host;
    this.#options = options;
    this.#log = log;
    const globs = options.patterns.map(compileGlob);
    this.#isWanted = (name) => globs.some((matches) => matches(name));
    void this.#run();
  }

  /** What the last round has found. */
  get last(): Survey {
    return this.#last;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    try {
      this.#last = await this.#survey();
    } catch (err) {
      if (!this.#stop.signal.aborted) this.#log.warn({ err }, "maps could not be counted");
    }
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#run(), this.#options.intervalMs).unref();
  }

  async #survey(): Promise<Survey> {
    const maps: SurveyedMap[] = [];
    const uncounted = { limit: 0, type: 0, failed: 0 };
    for await (const map of this.#wantedMaps()) {
      if (maps.length >= this.#options.maxMaps) {
        uncounted.limit++;
        continue;
      }
      const found = await this.#count(map);
      if (typeof found === "number") maps.push({ map, elements: found });
      else if (found !== "gone") uncounted[found]++;
    }
    return { maps, uncounted, finishedMs: Date.now() };
  }

  async *#wantedMaps(): AsyncGenerator<MapRecord> {
    let afterId: number | undefined = 0;
    while (afterId !== undefined) {
      const request = { pageSize: PAGE_SIZE, afterId, detail: { pins: true } };
      const page: Awaited<ReturnType<typeof listMaps>> = await listMaps(this.#host, request);
      yield* page.maps.filter(({ name }) => this.#isWanted(name));
      afterId = page.nextAfterId;
    }
  }

  async #count({ id }: MapRecord): Promise<number | UncountedReason | "gone"> {
    const { signal } = this.#stop;
    try {
      const found = await countElements(this.#host, { by: "id", id }, undefined, signal);
      return found.complete ? found.count : "failed";
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof MapError ? error.reason : undefined;
      if (reason === "MAP_NOT_FOUND") return "gone";
      if (reason === "OPERATION_NOT_SUPPORTED") return "type";
      this.#log.debug({ err: error, mapId: id }, "a map could not be counted");
      return "failed";
    }
  }
}
