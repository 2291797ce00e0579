import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

/** A way to a daemon's unix socket that can be cut. */
export interface SocketProxy {
  /** Path of the proxy's own unix socket. */
  readonly path: string;
  /** Cuts every connection that goes through it, without a goodbye. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy to `target`, which may come and go. */
export async function startProxy(path: string, target: string): Promise<SocketProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target);
    const end = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(path);
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    path,
    cut,
    async close() {
      server.close();
      cut();
      rmSync(path, { force: true });
    },
  };
}
