/** An instruction that cannot be written: which one, and what is wrong with it. */
export class AssemblyError extends Error {
  override readonly name = "AssemblyError";
}
