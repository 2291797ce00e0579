import { join } from "node:path";
import { Reference } from "../peers/reference.js";
import type { Bench } from "./bench.js";
import { ClientProcess } from "./process.js";

/** The reference server, and Go clients of the daemon and of what it is compared with. */
export interface BesideReference {
  readonly reference: Reference;
  /** Client of the daemon. */
  readonly ours: ClientProcess;
  /** Client of the reference server. */
  readonly theirs: ClientProcess;
  /** Client of a reference server that sends dumps out of memory, ready to be framed. */
  readonly stream: ClientProcess;
  /** No client: does the work with cilium/ebpf. */
  readonly kernel: ClientProcess;
}

/** Does work with them; all of them have ended when it resolves. */
export async function besideReference<T>(
  bench: Bench,
  work: (all: BesideReference) => Promise<T>,
): Promise<T> {
  const at = (name: string) => `unix:${join(bench.directory, name)}`;
  const reference = await Reference.start(at("reference"));
  const prepared = await Reference.start(at("prepared"), ["-prepared"]);
  const ours = await ClientProcess.startGo(bench.daemon);
  const theirs = await ClientProcess.startGo(reference);
  const stream = await ClientProcess.startGo(prepared);
  const kernel = await ClientProcess.startGo("kernel");
  try {
    return await work({ reference, ours, theirs, stream, kernel });
  } finally {
    await Promise.all([ours, theirs, stream, kernel].map((client) => client.stop()));
    await Promise.all([reference.stop(), prepared.stop()]);
  }
}
