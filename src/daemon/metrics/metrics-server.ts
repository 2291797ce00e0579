import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Server, Socket } from "node:net";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { UnixListenerSettings } from "../settings.js";
import { listenTcp } from "../tcp-listener.js";
import { listenUnix } from "../unix-listener.js";

const UNIX = "unix:";

/** A connection that does nothing for so long is closed; Prometheus asks at least every minute. */
const IDLE_MS = 120_000;

const MAX_CONNECTIONS = 64;

/** Serves metrics over HTTP: GET /metrics and nothing else. */
export class MetricsServer {
  readonly #listener: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(listener: Server, sockets: ReadonlySet<Socket>) {
    this.#listener = listener;
    this.#sockets = sockets;
  }

  /**
   * Listens. Throws a StartError where it cannot.
   *
   * @param address "host:port", or "unix:" and a path
   * @param unix who may use a unix socket: as for the daemon's own
   */
  static async open(
    address: string,
    unix: UnixListenerSettings,
    registry: Registry,
    log: Logger,
  ): Promise<MetricsServer> {
    const http = createServer((request, response) => void answer(registry, request, response, log));
    http.timeout = IDLE_MS;
    const sockets = new Set<Socket>();
    const take = (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      http.emit("connection", socket);
    };
    const listener = address.startsWith(UNIX)
      ? await listenUnix({ ...unix, path: address.slice(UNIX.length) }, take)
      : await listenTcp({ address, plaintext: true }, take, log);
    listener.maxConnections = MAX_CONNECTIONS;
    listener.on("error", (err) => log.error({ err }, "a scrape's connection was not accepted"));
    return new MetricsServer(listener, sockets);
  }

  /** Where it listens, with the port that the kernel chose. */
  get address(): string {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") return `${UNIX}${address ?? ""}`;
    const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
    return `${host}:${address.port}`;
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function answer(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> {
  const [path] = (request.url ?? "").split("?");
  if (path !== "/metrics") return refuse(response, 404, "Metrics are at /metrics.");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405, "Metrics are read with GET.");
  }
  try {
    const text = await registry.metrics();
    response.writeHead(200, { "Content-Type": registry.contentType });
    // prom-client writes NaN as "Nan", which the format does not know.
    response.end(text.replace(/ Nan$/gm, " NaN"));
  } catch (err) {
    log.error({ err }, "metrics could not be read");
    refuse(response, 500, "The daemon's log has more.");
  }
}

function refuse(response: ServerResponse, code: number, why: string): void {
  response.writeHead(code, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${why}\n`);
}
