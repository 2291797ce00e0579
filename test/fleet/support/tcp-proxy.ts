import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A relay of TCP in front of a server, which a test can cut. */
export interface TcpProxy {
  /** "127.0.0.1:port". */
  readonly address: string;
  /** Passes on what clients send, and nothing of what is answered. */
  holdAnswers(): void;
  /** Drops all connections, and what was held. */
  cut(): void;
  close(): Promise<void>;
}

/** Begins to relay to a port of 127.0.0.1. */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const proxy = new Relay(port);
  await proxy.listen();
  return proxy;
}

class Relay implements TcpProxy {
  readonly #port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isHolding = false;

  constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => this.#relay(client));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  holdAnswers(): void {
    this.#isHolding = true;
  }

  cut(): void {
    this.#isHolding = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #relay(client: Socket): void {
    const server = connect(this.#port, "127.0.0.1");
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (chunk) => server.write(chunk));
    server.on("data", (chunk) => {
      if (!this.#isHolding) client.write(chunk);
    });
  }
}
