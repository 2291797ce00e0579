import type { BpfmapClient } from "@bpfmapd/client";

/**
 * Waits until a number has not changed over many calls to the server on the same
 * connection: what was under way has then arrived, with no clock asked. The server
 * has to answer GetHost.
 */
export async function standsStill(client: BpfmapClient, read: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 50; same += 1) {
    await client.host.getHost({});
    if (read() !== last) same = 0;
    last = read();
  }
}
