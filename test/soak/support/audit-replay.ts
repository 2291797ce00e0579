import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** A line of the audit, as far as a replay needs it. */
interface AuditLine {
  readonly event: "start" | "call" | "begin" | "end";
  readonly rpc: string;
  readonly client_request?: string;
  readonly map?: { readonly name: string };
  readonly maps?: readonly { readonly name: string }[];
  readonly keys?: readonly string[];
  readonly outcome: string;
  readonly applied?: number | string;
}

/** What the audit tells of a soak. */
export class AuditReplay {
  /** By map name: what was last done to each key, as the number of the request. */
  readonly #keys = new Map<string, Map<string, string | undefined>>();
  /** Numbers of the requests that it tells an end of, by outcome. */
  readonly outcomes = new Map<string, string>();
  lines = 0;

  static async of(file: string): Promise<AuditReplay> {
    const replay = new AuditReplay();
    for await (const text of createInterface({ input: createReadStream(file) })) {
      replay.#take(JSON.parse(text) as AuditLine);
    }
    return replay;
  }

  /** The keys that a map has, each with the number of the request that wrote it. */
  elementsOf(map: string): Map<string, string> {
    const all = this.#keys.get(map) ?? new Map<string, string | undefined>();
    return new Map([...all].filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  #take(line: AuditLine): void {
    this.lines += 1;
    if (line.event === "start" || line.client_request === undefined) return;
    if (line.event !== "begin") this.outcomes.set(line.client_request, line.outcome);
    const [map] = line.maps ?? [];
    if (map) this.#change(map.name, line);
  }

  #change(map: string, { event, rpc, keys = [], client_request, outcome, applied }: AuditLine) {
    if (event !== "call") return;
    const elements = this.#keys.get(map) ?? new Map<string, string | undefined>();
    this.#keys.set(map, elements);
    const method = rpc.slice(rpc.indexOf("/") + 1);
    if (method === "ClearMap" && outcome === "OK") elements.clear();
    // What failed on the way says how many of its keys were done before.
    const done = keys.slice(0, outcome === "OK" ? keys.length : Number(applied ?? 0));
    for (const key of done) {
      if (method === "UpdateElements") elements.set(key, client_request);
      if (method === "DeleteElements") elements.delete(key);
    }
  }
}
