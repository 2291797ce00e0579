import type { AddressInfo, Server, Socket } from "node:net";
import type { Logger } from "pino";
import type { Config } from "./config.js";
import { listenTcp } from "./tcp-listener.js";
import { listenUnix } from "./unix-listener.js";

/**
 * All places where the daemon listens. They are taken first thing at start, so that a
 * second daemon ends before it touches a map; connections wait until they are served.
 */
export class Listeners {
  readonly #servers: Server[] = [];
  readonly #waiting = new Set<Socket>();
  #serve: ((socket: Socket) => void) | undefined;

  /** Listens everywhere, or nowhere: throws a StartError then. */
  static async open(config: Config["listen"], log: Logger): Promise<Listeners> {
    const listeners = new Listeners();
    const take = (socket: Socket) => listeners.#take(socket, log);
    try {
      listeners.#add(await listenUnix(config.unix, take), log);
      for (const tcp of config.tcp) listeners.#add(await listenTcp(tcp, take, log), log);
      return listeners;
    } catch (error) {
      listeners.close();
      throw error;
    }
  }

  /** Where it listens, such as "unix:/run/bpfmapd/bpfmapd.sock" and "127.0.0.1:7070". */
  get addresses(): string[] {
    return this.#servers.map((server) => tellAddress(server.address()));
  }

  /** Hands over the connections that wait, and all that come. */
  serve(accept: (socket: Socket) => void): void {
    this.#serve = accept;
    for (const socket of this.#waiting) accept(socket);
    this.#waiting.clear();
  }

  /** Takes no more connections; removes the unix socket. Those that were accepted live on. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting.clear();
  }

  #add(server: Server, log: Logger): void {
    // A connection that cannot be accepted, for want of file descriptors say, is not the end.
    server.on("error", (error) => log.error({ err: error }, "a connection was not accepted"));
    this.#servers.push(server);
  }

  #take(socket: Socket, log: Logger): void {
    // Without a listener a connection that breaks would end the process.
    socket.on("error", (error) => log.debug({ err: error.message }, "connection broke"));
    if (this.#serve !== undefined) {
      this.#serve(socket);
      return;
    }
    this.#waiting.add(socket);
    socket.once("close", () => this.#waiting.delete(socket));
  }
}

function tellAddress(address: string | AddressInfo | null): string {
  if (address === null) return "";
  if (typeof address === "string") return `unix:${address}`;
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}
