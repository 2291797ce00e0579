import type { AddressInfo, Server, Socket } from "node:net";
import type { Logger } from "pino";
import { type Principal, tcpPeer, unixPeer } from "../access/index.js";
import type { Config } from "./config.js";
import { inheritedUnixSocket } from "./inherited-sockets.js";
import type { UnixListenerSettings } from "./settings.js";
import { listenTcp } from "./tcp-listener.js";
import { adoptUnix, listenUnix } from "./unix-listener.js";

type PeerOf = (socket: Socket) => Principal;
type Serve = (socket: Socket, peerOf: () => Principal) => void;

interface Arrival {
  readonly socket: Socket;
  readonly peerOf: PeerOf;
}

/**
 * All places where the daemon listens. They are taken first thing at start, so that a
 * second daemon ends before it touches a map; connections wait until they are served.
 */
export class Listeners {
  readonly #servers: Server[] = [];
  readonly #addresses: string[] = [];
  readonly #waiting = new Set<Arrival>();
  #serve: Serve | undefined;

  /**
   * Listens everywhere, or nowhere: throws a StartError then.
   *
   * @param handshakeTimeoutMs how long TLS may take
   */
  static async open(
    config: Config["listen"],
    handshakeTimeoutMs: number,
    log: Logger,
  ): Promise<Listeners> {
    const listeners = new Listeners();
    const take = (peerOf: PeerOf) => (socket: Socket) => listeners.#take({ socket, peerOf }, log);
    try {
      const unix = await listenOwnUnix(config.unix, take(unixPeer));
      listeners.#add(unix, `unix:${config.unix.path}`, log);
      for (const tcp of config.tcp) {
        const server = await listenTcp(tcp, take(tcpPeer), log, handshakeTimeoutMs);
        listeners.#add(server, tellAddress(server.address() as AddressInfo), log);
      }
      return listeners;
    } catch (error) {
      listeners.close();
      throw error;
    }
  }

  /** Where it listens, such as "unix:/run/bpfmapd/bpfmapd.sock" and "127.0.0.1:7070". */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Hands over the connections that wait, and all that come. */
  serve(accept: Serve): void {
    this.#serve = accept;
    for (const { socket, peerOf } of this.#waiting) accept(socket, () => peerOf(socket));
    this.#waiting.clear();
  }

  /** Takes no more connections; removes a unix socket that it made. Those that were accepted live on. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const { socket } of this.#waiting) socket.destroy();
    this.#waiting.clear();
  }

  #add(server: Server, address: string, log: Logger): void {
    // A connection that cannot be accepted, for want of file descriptors say, is not the end.
    server.on("error", (error) => log.error({ err: error }, "a connection was not accepted"));
    this.#servers.push(server);
    this.#addresses.push(address);
  }

  #take(arrival: Arrival, log: Logger): void {
    const { socket, peerOf } = arrival;
    // Without a listener a connection that breaks would end the process.
    socket.on("error", (error) => log.debug({ err: error.message }, "connection broke"));
    if (this.#serve !== undefined) {
      this.#serve(socket, () => peerOf(socket));
      return;
    }
    this.#waiting.add(arrival);
    socket.once("close", () => this.#waiting.delete(arrival));
  }
}

/** On the socket that a service manager hands over, or else on one that the daemon makes. */
function listenOwnUnix(
  settings: UnixListenerSettings,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const fd = inheritedUnixSocket(settings.path);
  if (fd !== undefined) return adoptUnix(fd, settings.path, onConnection);
  return listenUnix(settings, onConnection);
}

function tellAddress({ family, address, port }: AddressInfo): string {
  return `${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
