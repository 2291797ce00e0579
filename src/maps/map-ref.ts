import type { MapAccess } from "./map-access.js";

/** Names one map of the host, as the contract's `MapRef`. */
export type MapRef = (
  | { readonly by: "id"; readonly id: number }
  | { readonly by: "pinPath"; readonly pinPath: string }
  | { readonly by: "name"; readonly name: string }
  | { readonly by: "held"; readonly held: string }
) & {
  /** Refuse with BOOT_ID_MISMATCH unless the host still runs this boot. */
  readonly bootId?: string | undefined;
  /** What the one who names the map may do with it; absent where nobody is asked. */
  readonly access?: MapAccess | undefined;
};

/** How a message to a person names the map that a reference names. */
export function describeRef(ref: MapRef): string {
  switch (ref.by) {
    case "id":
      return `map id ${ref.id}`;
    case "pinPath":
      return `the map pinned at ${ref.pinPath}`;
    case "name":
      return `the map named "${ref.name}"`;
    case "held":
      return `the held map "${ref.held}"`;
  }
}
