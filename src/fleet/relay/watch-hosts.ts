import type { FleetHost, HostSelector } from "@bpfmapd/client/proto";
import type { HostDirectory } from "../members/host-directory.js";
import { hostMatcher } from "../selector.js";
import { Bell } from "../store/bell.js";

/** What a watcher of hosts is told. */
export type HostEvent =
  | { readonly kind: "host"; readonly host: FleetHost }
  | { readonly kind: "removed"; readonly hostId: string }
  | { readonly kind: "synced"; readonly hosts: number };

/**
 * All hosts that match, then that these are all, then what changes. What changes while the
 * watcher is busy is gathered by host, so that a slow one has each host once to catch up with.
 */
export async function* watchHosts(
  directory: HostDirectory,
  selector: HostSelector | undefined,
  signal: AbortSignal,
): AsyncGenerator<HostEvent, void> {
  await directory.ready();
  const isChosen = hostMatcher(selector);
  const told = new Set<string>();
  const changed = new Set<string>();
  const bell = new Bell();
  const stop = directory.onChange((hostId) => {
    changed.add(hostId);
    bell.ring();
  });
  const onAbort = () => bell.ring();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (const id of directory.ids) changed.add(id);
    for (let isSynced = false; ; isSynced = true) {
      while (changed.size > 0) {
        const [id] = changed as Iterable<string> as unknown as [string];
        changed.delete(id);
        const event = changeOf(id);
        if (event) yield event;
      }
      if (!isSynced) yield { kind: "synced", hosts: told.size };
      if (changed.size > 0) continue;
      signal.throwIfAborted();
      await bell.next;
      signal.throwIfAborted();
    }
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }

  function changeOf(id: string): HostEvent | undefined {
    const host = directory.host(id);
    if (host && isChosen(host)) {
      told.add(id);
      return { kind: "host", host };
    }
    return told.delete(id) ? { kind: "removed", hostId: id } : undefined;
  }
}
