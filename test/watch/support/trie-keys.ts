/** Whether the prefix that one trie key is covers another, itself included; keys in hex. */
export function covers(cover: string, key: string): boolean {
  const [a, b] = [cover, key].map((hex) => Buffer.from(hex, "hex")) as [Buffer, Buffer];
  const length = a.readUInt32LE(0);
  return b.readUInt32LE(0) >= length && bitsOf(b).startsWith(bitsOf(a).slice(0, length));
}

function bitsOf(key: Buffer): string {
  return Array.from(key.subarray(4), (byte) => byte.toString(2).padStart(8, "0")).join("");
}
