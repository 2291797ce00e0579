import { status } from "@bpfmapd/client";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { frames, RawConnection } from "./support/raw-grpc.js";

it.each(["0S", "1m", "3m"])(
  "a stream whose deadline of %s passes between two answers ends with its status",
  async (timeout) => {
    const daemon = await startDaemon();
    const connection = await RawConnection.open(daemon.socket);
    const calls = Array.from({ length: 500 }, () => new Uint8Array(0));
    for (let made = 0; made < 20; made++) {
      const { status: code } = await connection.call(
        "bpfmap.v1.MapService/Pipeline",
        frames(...calls),
        { "grpc-timeout": timeout },
      );
      expect([status.OK, status.DEADLINE_EXCEEDED]).toContain(code);
    }
    connection.destroy();
  },
);
