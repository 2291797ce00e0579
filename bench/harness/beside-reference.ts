import { join } from "node:path";
import { Reference } from "../peers/reference.js";
import type { Bench } from "./bench.js";
import { ClientProcess } from "./process.js";

/** The reference server, and a Go client of the daemon beside one of it. */
export interface BesideReference {
  readonly reference: Reference;
  readonly ours: ClientProcess;
  readonly theirs: ClientProcess;
}

/** Does work with them; all of them have ended when it resolves. */
export async function besideReference<T>(
  bench: Bench,
  work: (all: BesideReference) => Promise<T>,
): Promise<T> {
  const reference = await Reference.start(`unix:${join(bench.directory, "reference")}`);
  const ours = await ClientProcess.startGo([bench.daemon.address]);
  const theirs = await ClientProcess.startGo([reference.address]);
  try {
    return await work({ reference, ours, theirs });
  } finally {
    await Promise.all([ours.stop(), theirs.stop()]);
    await reference.stop();
  }
}
