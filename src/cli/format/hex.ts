/** Two lower-case hexadecimal digits for each byte value. */
export const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

const BYTES_A_LINE = 16;

/**
 * What stands in front of byte `index` of a hex dump in bpftool's plain output
 * (fprint_hex in its main.c): 16 bytes a line, in two groups of 8.
 */
export function plainSeparator(index: number): string {
  if (index === 0) return "";
  if (index % BYTES_A_LINE === 0) return "\n";
  return index % 8 === 0 ? "  " : " ";
}

/** Bytes as bpftool's plain output shows them. */
export function plainHex(bytes: Uint8Array): string {
  let text = "";
  for (const [index, byte] of bytes.entries()) text += plainSeparator(index) + HEX[byte];
  return text;
}
