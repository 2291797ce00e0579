import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  type BpfmapClient,
  type CallOptions,
  connect,
  type MapHandle,
  type MapRefInit,
  mapRef,
  type TlsOptions,
} from "@bpfmapd/client";
import type { MapRef } from "@bpfmapd/client/proto";
import { CliError, messageOf } from "./cli-error.js";
import { type JsonWriter, jsonText } from "./format/json-writer.js";
import { makeStyle, type Style } from "./format/style.js";
import type { GlobalOptions } from "./global-options.js";
import type { MapArg } from "./grammar/map-arg.js";
import type { Output } from "./output.js";
import { Progress, type ProgressOptions } from "./progress.js";
import type { Terminal, TerminalSize } from "./terminal.js";

/** What a command runs with: the connection, the output and the global options. */
export class CliContext {
  readonly options: GlobalOptions;
  readonly out: Output;
  readonly stdin: Terminal["stdin"];
  readonly stderr: Terminal["stderr"];
  readonly signal: AbortSignal;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Lines and columns of the terminal now; undefined where it is none. */
  readonly terminalSize: () => TerminalSize | undefined;
  /** Whether to print JSON; -p alone asks for it too, as in bpftool. */
  readonly json: boolean;
  readonly pretty: boolean;
  /** Whether to print tables for a person instead of bpftool's plain text. */
  readonly tables: boolean;
  readonly style: Style;
  #client: BpfmapClient | undefined;

  constructor(options: GlobalOptions, terminal: Terminal) {
    this.options = options;
    this.out = terminal.out;
    this.stdin = terminal.stdin;
    this.stderr = terminal.stderr;
    this.signal = terminal.signal;
    this.isTerminal = terminal.isTerminal;
    this.terminalSize = terminal.size ?? (() => undefined);
    this.pretty = options.pretty ?? false;
    this.json = (options.json ?? false) || this.pretty;
    this.tables = terminal.isTerminal && !this.json;
    const noColour = terminal.env.NO_COLOR !== undefined && terminal.env.NO_COLOR !== "";
    this.style = makeStyle(
      this.tables && options.color && !noColour && terminal.env.TERM !== "dumb",
    );
  }

  /** The connection, made when it is first used. */
  get client(): BpfmapClient {
    this.#client ??= this.#connect();
    return this.#client;
  }

  /** Options of a call that answers at once. */
  get call(): CallOptions {
    return { signal: this.signal };
  }

  /** Options of a call whose time depends on the size of the map: no deadline but the user's. */
  get longCall(): CallOptions {
    return { signal: this.signal, deadlineMs: this.options.timeout ?? Number.POSITIVE_INFINITY };
  }

  close(): void {
    this.#client?.close();
  }

  /** The map that the user named. */
  map(map: MapArg): MapHandle {
    return this.client.map(this.mapRefInit(map));
  }

  /** The reference for requests of a map that the user named. */
  mapRef(map: MapArg): MapRef {
    return mapRef(this.mapRefInit(map));
  }

  /** The same as the client takes it. */
  mapRefInit(map: MapArg): MapRefInit {
    switch (map.by) {
      case "id":
        return { id: map.id };
      case "pinned":
        return { pinPath: this.hostPath(map.path) };
      case "name":
        return { name: map.name };
      case "held":
        return { held: map.held };
    }
  }

  /** Whether the daemon runs on this host, as far as the address can tell. */
  get isLocal(): boolean {
    return this.options.address.startsWith("unix:");
  }

  /**
   * A path on the daemon's host. Relative paths mean something only where that is
   * this host.
   */
  hostPath(path: string): string {
    return this.isLocal ? resolve(path) : path;
  }

  /** Prints JSON with -j, and nothing otherwise: what bpftool does for commands that only act. */
  async printDone(): Promise<void> {
    if (this.json) await this.out.write("null\n");
  }

  /** Prints one JSON document. */
  async printJson(write: (json: JsonWriter) => void): Promise<void> {
    await this.out.write(jsonText(this.pretty, write));
  }

  /** Tells something that is no part of the output. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** Shows how far long work is, where a person can see it. */
  progress(options: Omit<ProgressOptions, "stream">): Progress {
    return new Progress({ ...options, stream: this.stderr });
  }

  #connect(): BpfmapClient {
    const { address, plaintext = false, timeout, tokenFile } = this.options;
    const tls = this.#tls();
    try {
      return connect({
        address,
        plaintext,
        ...(tls === undefined ? {} : { tls }),
        ...(tokenFile !== undefined && { token: String(readGiven(tokenFile)).trim() }),
        ...(timeout === undefined ? {} : { deadlineMs: timeout }),
      });
    } catch (error) {
      // Nothing was sent: it is the command line that is wrong, not a request.
      throw new CliError(messageOf(error));
    }
  }

  #tls(): TlsOptions | undefined {
    const { tlsCa, tlsCert, tlsKey, tlsServerName } = this.options;
    // The environment may name certificates for hosts that are reached over TCP.
    if (this.isLocal) return undefined;
    const given = [tlsCa, tlsCert, tlsKey, tlsServerName].some((value) => value !== undefined);
    if (!given && this.options.plaintext) return undefined;
    return {
      ...(tlsCa === undefined ? {} : { ca: readGiven(tlsCa) }),
      ...(tlsCert === undefined ? {} : { cert: readGiven(tlsCert) }),
      ...(tlsKey === undefined ? {} : { key: readGiven(tlsKey) }),
      ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
    };
  }
}

function readGiven(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${messageOf(error)}`);
  }
}
