/** This kernel does not let the daemon trace; the message says why, for people. */
export class TraceRefused extends Error {
  override readonly name = "TraceRefused";
}
