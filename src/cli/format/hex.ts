/** Two lower-case hexadecimal digits for each byte value. */
export const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

const BYTES_A_LINE = 16;
/** Characters of such a line: two digits and a space a byte, one more between the groups. */
const LINE_CHARS = 3 * BYTES_A_LINE;

/**
 * What stands in front of byte `index` of a hex dump in bpftool's plain output
 * (fprint_hex in its main.c): 16 bytes a line, in two groups of 8.
 */
export function plainSeparator(index: number): string {
  if (index === 0) return "";
  if (index % BYTES_A_LINE === 0) return "\n";
  return index % 8 === 0 ? "  " : " ";
}

/** Lines of 16 bytes: hexadecimal, then what of them is printable ASCII, as `hexdump -C`. */
export function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let from = 0; from < bytes.length; from += BYTES_A_LINE) {
    const line = bytes.subarray(from, from + BYTES_A_LINE);
    const text = Array.from(line, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".",
    );
    lines.push(`${plainHex(line).padEnd(LINE_CHARS)}  |${text.join("")}|`);
  }
  return lines;
}

/** Bytes as bpftool's plain output shows them. */
export function plainHex(bytes: Uint8Array): string {
  let text = "";
  for (const [index, byte] of bytes.entries()) text += plainSeparator(index) + HEX[byte];
  return text;
}
