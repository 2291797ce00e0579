import { type Command, Option } from "commander";
import { parseDuration } from "./grammar/duration.js";

/** Options that every command takes, before it or after it. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly bpffs?: boolean;
  readonly address: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly plaintext?: boolean;
  readonly tokenFile?: string;
  /** Milliseconds; absent where it was not given. */
  readonly timeout?: number;
  readonly color: boolean;
}

/** Adds the global options to the program. */
export function addGlobalOptions(program: Command, defaultAddress: string): void {
  program
    .option("-j, --json", "print JSON, as bpftool does")
    .option("-p, --pretty", "print JSON in readable form")
    .option("-f, --bpffs", "show the paths at which maps are pinned")
    .addOption(
      new Option("-a, --address <address>", "the daemon: unix:/path or host:port")
        .env("BPFMAPCTL_ADDRESS")
        .default(defaultAddress),
    )
    .addOption(
      new Option("--tls-ca <file>", "trust the certificates in this PEM file").env(
        "BPFMAPCTL_TLS_CA",
      ),
    )
    .addOption(
      new Option("--tls-cert <file>", "show this certificate (PEM)").env("BPFMAPCTL_TLS_CERT"),
    )
    .addOption(
      new Option("--tls-key <file>", "private key of the certificate (PEM)").env(
        "BPFMAPCTL_TLS_KEY",
      ),
    )
    .option("--tls-server-name <name>", "name that the daemon's certificate must have")
    .option("--plaintext", "allow TCP without TLS: anybody on the way can read and write")
    .addOption(
      new Option("--token-file <file>", "send the bearer token in this file").env(
        "BPFMAPCTL_TOKEN_FILE",
      ),
    )
    .addOption(
      new Option(
        "-t, --timeout <duration>",
        "give up after this time, such as 10s (default: 30s for short calls)",
      ).argParser(parseDuration),
    )
    .option("--no-color", "no colours; NO_COLOR in the environment does the same")
    // bpftool's options that concern its own work in the kernel: accepted, so that
    // scripts move over unchanged, and without a meaning for a client.
    .addOption(new Option("-d, --debug").hideHelp())
    .addOption(new Option("-l, --legacy").hideHelp())
    .addOption(new Option("-n, --nomount").hideHelp());
}
