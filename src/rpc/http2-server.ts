import type { Http2Server } from "node:http2";
import type { Server } from "@grpc/grpc-js";

interface ServerInside {
  _setupHandlers?: (http2Server: Http2Server, ...rest: unknown[]) => void;
}

/**
 * Calls back with each HTTP/2 server that a grpc-js server makes, before grpc-js attaches
 * its own listeners. There is no public way to them; where a later grpc-js has another
 * inside, this throws at start instead of doing nothing.
 */
export function onHttp2Server(server: Server, prepare: (http2Server: Http2Server) => void): void {
  const inside = server as unknown as ServerInside;
  const setup = inside._setupHandlers;
  if (setup === undefined) throw new Error("this @grpc/grpc-js has no Server._setupHandlers");
  inside._setupHandlers = (http2Server, ...rest) => {
    prepare(http2Server);
    setup.call(server, http2Server, ...rest);
  };
}
