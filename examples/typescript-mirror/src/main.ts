import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type BpfmapClient, connect, type TlsOptions } from "@bpfmapd/client";
import { Mirror } from "./mirror.js";

const USAGE = `Usage: node dist/main.js --from ADDRESS --to ADDRESS --pin PATH
  --from, --to           addresses of the two bpfmapd: unix:/path or host:port
  --pin                  the map's pin
  --to-pin               its pin on the second host, where that is another one
  --ca, --cert, --key    PEM files for TLS, with addresses that are host:port
  --server-name          the name in the certificates, where it is not the address's host
`;

const { values: given } = parseArgs({
  options: {
    from: { type: "string" },
    to: { type: "string" },
    pin: { type: "string" },
    "to-pin": { type: "string" },
    ca: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    "server-name": { type: "string" },
  },
});

function client(address: string): BpfmapClient {
  if (address.startsWith("unix:")) return connect({ address });
  const pem = (name: "ca" | "cert" | "key") => {
    const file = given[name];
    return file === undefined ? {} : { [name]: readFileSync(file) };
  };
  const tls: TlsOptions = { ...pem("ca"), ...pem("cert"), ...pem("key") };
  if (given["server-name"] !== undefined) tls.serverName = given["server-name"];
  // A host that vanishes without a word is noticed by this alone.
  const channelOptions = { "grpc.keepalive_time_ms": 10_000, "grpc.keepalive_timeout_ms": 5_000 };
  return connect({ address, tls, channelOptions });
}

async function main(): Promise<void> {
  const { from, to, pin } = given;
  if (from === undefined || to === undefined || pin === undefined) {
    process.stderr.write(USAGE);
    process.exitCode = 2;
    return;
  }
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ending.abort());
  const source = { client: client(from), pinPath: pin };
  const target = { client: client(to), pinPath: given["to-pin"] ?? pin };
  try {
    await new Mirror(source, target, console.log).run(ending.signal);
  } finally {
    source.client.close();
    target.client.close();
  }
}

await main();
