import { expect, test, vi } from "vitest";
import { call, frame, RawHttp2, Type } from "../fuzz/support/http2-wire.js";
import { fdCount } from "../service/support/daemon-state.js";
import { startDaemon } from "../support/daemon.js";

test.each([
  ["DATA on no stream", frame(Type.DATA, 0, 0, Buffer.alloc(1))],
  ["a PING of 7 bytes", frame(Type.PING, 0, 0, Buffer.alloc(7))],
  ["HEADERS that are no HPACK", frame(Type.HEADERS, 4, 3, Buffer.of(0x80))],
])("a connection with %s is closed, and its calls end", async (_what, bytes) => {
  const daemon = await startDaemon();
  await daemon.client.host.getHost({});
  const files = fdCount(daemon.pid);
  const connections = await Promise.all(
    Array.from({ length: 20 }, () => RawHttp2.open(daemon.socket)),
  );
  for (const connection of connections) {
    await connection.write(call(1, "grpc.health.v1.Health/Watch"), bytes);
  }
  await Promise.all(connections.map(({ closed }) => closed));
  await vi.waitFor(() => expect(fdCount(daemon.pid)).toBeLessThanOrEqual(files), 20_000);
});

test("a connection that says nothing is closed, and one that has spoken is not", async () => {
  const daemon = await startDaemon({ args: ["--handshake-timeout-ms", "300"] });
  const spoken = await RawHttp2.open(daemon.socket);
  const silent = await RawHttp2.connect(daemon.socket);
  await silent.closed;
  expect(await spoken.ping()).toBe("answered");
  spoken.destroy();
});
