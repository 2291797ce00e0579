/**
 * The memory of columns that nobody else has anything in, which can therefore be handed over:
 * Node puts what is small into pools, beside what is others'.
 */
export function ownMemory(columns: readonly Uint8Array[]): ArrayBuffer[] {
  const memory = new Set(columns.map(({ buffer }) => buffer as ArrayBuffer));
  return [...memory].filter(({ byteLength }) => byteLength > Buffer.poolSize);
}
