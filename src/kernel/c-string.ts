/** The string in a buffer of fixed size, which a zero ends unless it fills it. */
export function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}
