import picocolors from "picocolors";

/** Functions that put colour around text, or leave it alone. */
export type Style = ReturnType<typeof picocolors.createColors>;

export function makeStyle(colour: boolean): Style {
  return picocolors.createColors(colour);
}
