import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { BpfmapError, connect, status } from "@bpfmapd/client";
import { expect, onTestFinished, test } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { heldHash } from "./support/maps.js";

const KIB = 1024;
const tooLarge = {
  code: status.RESOURCE_EXHAUSTED,
  reason: "LIMIT_EXCEEDED",
  metadata: { limit: "limits.max_message_bytes" },
  message: expect.stringContaining("limits.max_message_bytes"),
};

test("a request past the message limit is refused with its reason, and the connection lives on", async () => {
  const { client } = await startDaemon({ args: ["--max-message-bytes", "64KiB"] });
  await heldHash(client, "small", 1);
  const keys = new Uint8Array(64 * KIB);
  const request = {
    map: { ref: { case: "held", value: "small" } },
    keys,
    count: 16 * KIB,
  } as const;
  await expect(client.maps.lookupElements(request)).rejects.toMatchObject(tooLarge);
  const { host } = await client.host.getHost({});
  expect(host?.maxMessageBytes).toBe(64 * KIB);
});

test("a chunk of a load past the message limit ends the load with its reason", async () => {
  const { client } = await startDaemon({ args: ["--max-message-bytes", "64KiB"] });
  const map = await heldHash(client, "small", 1);
  const load = client.maps.loadMap(
    (async function* () {
      yield { kind: { case: "start", value: { map: map.ref } } } as const;
      const elements = { count: 16 * KIB, keys: new Uint8Array(64 * KIB) };
      yield { kind: { case: "elements", value: elements } } as const;
    })(),
  );
  expect(await load.then(() => expect.fail("loaded"), BpfmapError.from)).toMatchObject(tooLarge);
});

test("dumps keep to the message limit, whatever chunks are asked for", async () => {
  const daemon = await startDaemon({ args: ["--max-message-bytes", "64KiB"] });
  const map = await heldHash(daemon.client, "larger", 50_000);
  const strict = connect({ address: `unix:${daemon.socket}`, maxMessageBytes: 64 * KIB });
  onTestFinished(() => strict.close());
  let sent = 0;
  let largest = 0;
  for await (const { kind } of strict.maps.dumpMap({ map: map.ref, chunkBytes: 4096 * KIB })) {
    if (kind.case !== "elements") continue;
    sent += kind.value.count;
    largest = Math.max(largest, kind.value.keys.length + kind.value.values.length);
  }
  expect(sent).toBe(50_000);
  expect(largest).toBeGreaterThan(32 * KIB);
});

test("a call that never sends its request ends at the longest time of a call, and a stream goes on", async () => {
  const daemon = await startDaemon({ args: ["--max-call-ms", "500"] });
  const watch = (await heldHash(daemon.client, "watched", 1)).watch({ bookmarkIntervalMs: 100 });
  const events = watch[Symbol.asyncIterator]();
  await events.next();

  const session = connectHttp2("http://localhost", {
    createConnection: () => connectSocket(daemon.socket),
  });
  onTestFinished(() => session.destroy());
  const stream = session.request(
    {
      ":method": "POST",
      ":path": "/bpfmap.v1.HostService/GetHost",
      "content-type": "application/grpc",
      te: "trailers",
    },
    { endStream: false },
  );
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  expect(headers["grpc-status"]).toBe(`${status.DEADLINE_EXCEEDED}`);
  for (let told = 0; told < 3; told++) expect((await events.next()).done).toBe(false);
  await events.return?.();
});
