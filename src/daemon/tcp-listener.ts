import {
  createServer as createNetServer,
  type Server,
  type ServerOpts,
  type Socket,
} from "node:net";
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import type { Logger } from "pino";
import { WatchedFiles } from "../access/index.js";
import { fileEvents } from "./access.js";
import { ExitCode, StartError } from "./exit-code.js";
import type { TcpListenerSettings } from "./settings.js";
import { parseTcpAddress, type TcpAddress } from "./tcp-address.js";

/** How long TLS may take where nothing else is said. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Idle time after which the kernel asks whether the peer is still there. Peers that only
 * read slowly are left alone, which gRPC's own keep-alive would not do.
 */
const KEEP_ALIVE_MS = 60_000;

type TlsSettings = NonNullable<TcpListenerSettings["tls"]>;

/** Listens on TCP, with TLS unless the settings allow none. */
export async function listenTcp(
  settings: TcpListenerSettings,
  onConnection: (socket: Socket | TLSSocket) => void,
  log: Logger,
  handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS,
): Promise<Server> {
  const address = parseTcpAddress(settings.address) as TcpAddress;
  const options = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, noDelay: true };
  if (settings.tls === undefined) {
    return listen(createNetServer(options, onConnection), address, settings.address);
  }
  const server = tlsServer(settings.tls, { ...options, handshakeTimeoutMs }, onConnection, log);
  server.on("tlsClientError", (error, socket) => {
    log.info({ peer: socket.remoteAddress, err: error.message }, "TLS handshake failed");
    socket.destroy();
  });
  return listen(server, address, settings.address);
}

/** Its certificates are read again when their files change: connections that come then get the new. */
function tlsServer(
  tls: TlsSettings,
  { handshakeTimeoutMs, ...options }: ServerOpts & { readonly handshakeTimeoutMs: number },
  onConnection: (socket: TLSSocket) => void,
  log: Logger,
): TlsServer {
  const certificates = followCertificates(tls, log);
  const wantsClients = tls.client_ca !== undefined;
  const server = createTlsServer(
    {
      ...options,
      ...certificates.value,
      // gRPC clients insist that HTTP/2 is agreed on.
      ALPNProtocols: ["h2"],
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: wantsClients,
      rejectUnauthorized: wantsClients,
    },
    onConnection,
  );
  certificates.onChange(() => server.setSecureContext(certificates.value));
  server.once("close", () => certificates.close());
  return server;
}

function followCertificates(
  { cert, key, client_ca, client_crl, min_version }: TlsSettings,
  log: Logger,
): WatchedFiles<SecureContextOptions> {
  const isGiven = (file: string | undefined) => file !== undefined;
  const files = [cert, key, client_ca, client_crl].filter(isGiven) as string[];
  const read = (contents: readonly Buffer[]) => {
    const [cert, key] = contents;
    const ca = client_ca === undefined ? undefined : contents[2];
    const crl = client_crl === undefined ? undefined : contents.at(-1);
    const options = { cert, key, minVersion: min_version, ...(ca && { ca }), ...(crl && { crl }) };
    createSecureContext(options); // throws where they do not fit together
    return options;
  };
  try {
    return new WatchedFiles<SecureContextOptions>(files, read, fileEvents("listen.tcp", log));
  } catch (cause) {
    throw new StartError(
      ExitCode.CONFIGURATION,
      `listen.tcp: TLS cannot use ${files.join(", ")}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function listen<S extends Server>(server: S, { host, port }: TcpAddress, text: string): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => reject(listenError(text, cause));
    server.once("error", fail);
    server.listen({ host, port }, () => {
      server.off("error", fail);
      resolve(server);
    });
  });
}

function listenError(address: string, cause: NodeJS.ErrnoException): StartError {
  if (cause.code === "EADDRINUSE") {
    return new StartError(
      ExitCode.ADDRESS_IN_USE,
      `${address} is in use: stop what listens there, or choose another address`,
      { cause },
    );
  }
  return new StartError(ExitCode.FAILED, `cannot listen on ${address}: ${cause.message}`, {
    cause,
  });
}
