/** Bytes that are no BTF, or a question that this BTF has no answer to. */
export class BtfError extends Error {
  override readonly name = "BtfError";
}
