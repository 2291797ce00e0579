import { FrameQueue } from "#dist/fleet/session/frame-queue.js";
import type { Process } from "./machine.ts";
import type { Network } from "./network.ts";
import { Pipe } from "./pipe.ts";

/** A stream, as the one has it who has opened it. */
export interface ClientStream<Up, Down> {
  /** Settles when there is room for another. */
  send(frame: Up): Promise<void>;
  readonly frames: AsyncIterable<Down>;
  close(): void;
}

/** How a stream is served. */
export type Serve<Up, Down> = (
  requests: AsyncIterable<Up>,
  signal: AbortSignal,
) => AsyncIterable<Down>;

interface ServerStream {
  readonly requests: FrameQueue<unknown>;
  readonly over: AbortController;
  /** Frames that the server has sent and that wait for room: at most one here. */
  readonly responses: AsyncIterable<unknown>;
}

/** A connection with streams on it. Each end learns of its end by itself, or never. */
export class Connection {
  readonly client: Process;
  readonly server: Process;
  readonly #network: Network;
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #keepaliveMs: number;
  readonly #clientStreams = new Map<number, FrameQueue<unknown>>();
  readonly #serverStreams = new Map<number, ServerStream>();
  /** Whether the client takes it for open. */
  isClientOpen = true;
  #isServerOpen = true;
  #isWatched = false;
  #lastStream = 0;

  constructor(network: Network, client: Process, server: Process, keepaliveMs: number) {
    this.client = client;
    this.server = server;
    this.#network = network;
    this.#keepaliveMs = keepaliveMs;
    const { machine: here } = client;
    const { machine: there } = server;
    this.#up = new Pipe(network, here, there, () => this.#watchKeepalive());
    this.#down = new Pipe(network, there, here, () => this.#watchKeepalive());
    client.connections.add(this);
    server.connections.add(this);
  }

  /** What waits at the server's end to be sent, by stream. */
  get serverQueues(): AsyncIterable<unknown>[] {
    return [...this.#serverStreams.values()].map(({ responses }) => responses);
  }

  openStream<Up, Down>(serve: Serve<Up, Down>): ClientStream<Up, Down> {
    const id = ++this.#lastStream;
    const frames = new FrameQueue<Down>();
    if (!this.isClientOpen) frames.end(new Error("the connection is closed"));
    else this.#clientStreams.set(id, frames as FrameQueue<unknown>);
    void this.#toServer(() => this.#accept(id, serve as Serve<unknown, unknown>));
    return {
      frames,
      send: (frame) => this.#toServer(() => this.#serverStreams.get(id)?.requests.send(frame)),
      close: () => {
        if (!this.#clientStreams.delete(id)) return;
        frames.end(new Error("the stream was closed here"));
        void this.#toServer(() => this.#endRequests(id, new Error("the client cancelled")));
      },
    };
  }

  /** The client hangs up. */
  close(): void {
    this.#closeClient(new Error("the connection was closed here"));
    void this.#up.send(() => this.#closeServer(new Error("the client hung up")));
  }

  /** A process at one end is no more, and its machine says so. */
  died(process: Process): void {
    const gone = new Error("connection reset");
    if (process === this.client) void this.#up.send(() => this.#closeServer(gone));
    else void this.#down.send(() => this.#closeClient(gone));
  }

  /** Something on the way breaks the connection: both ends are told. */
  reset(): void {
    this.#network.scheduler.after(1, () => {
      this.#closeClient(new Error("connection reset"));
      this.#closeServer(new Error("connection reset"));
    });
  }

  #toServer(deliver: () => void): Promise<void> {
    if (!this.isClientOpen) return Promise.resolve();
    return this.#up.send(() => {
      if (this.#isServerOpen && this.server.isAlive) deliver();
      else if (this.server.machine.isUp) void this.#down.send(() => this.#closeClient(reset()));
    });
  }

  #toClient(deliver: () => void): Promise<void> {
    if (!this.#isServerOpen) return Promise.resolve();
    return this.#down.send(() => {
      if (this.isClientOpen && this.client.isAlive) deliver();
      else if (this.client.machine.isUp) void this.#up.send(() => this.#closeServer(reset()));
    });
  }

  #accept(id: number, serve: Serve<unknown, unknown>): void {
    const requests = new FrameQueue<unknown>();
    const over = new AbortController();
    const responses = served(() => serve(requests, over.signal));
    this.#serverStreams.set(id, { requests, over, responses });
    void this.#pump(id, responses);
  }

  async #pump(id: number, responses: AsyncIterable<unknown>): Promise<void> {
    let failure: unknown;
    try {
      for await (const frame of responses) {
        if (!this.#serverStreams.has(id)) break;
        await this.#toClient(() => void this.#clientStreams.get(id)?.send(frame));
      }
    } catch (error) {
      failure = error;
    }
    if (!this.server.isAlive) return;
    this.#endRequests(id, new Error("the server has ended the stream"));
    void this.#toClient(() => {
      this.#clientStreams.get(id)?.end(failure ?? undefined);
      this.#clientStreams.delete(id);
    });
  }

  #endRequests(id: number, why: Error): void {
    const stream = this.#serverStreams.get(id);
    this.#serverStreams.delete(id);
    stream?.over.abort(why);
    stream?.requests.end();
  }

  #closeClient(why: Error): void {
    if (!this.isClientOpen) return;
    this.isClientOpen = false;
    this.client.connections.delete(this);
    if (!this.client.isAlive) return;
    for (const frames of this.#clientStreams.values()) frames.end(why);
    this.#clientStreams.clear();
    this.#breakWhenOver();
  }

  #closeServer(why: Error): void {
    if (!this.#isServerOpen) return;
    this.#isServerOpen = false;
    this.server.connections.delete(this);
    if (this.server.isAlive) {
      for (const id of [...this.#serverStreams.keys()]) this.#endRequests(id, why);
    }
    this.#breakWhenOver();
  }

  #breakWhenOver(): void {
    if (this.isClientOpen || this.#isServerOpen) return;
    this.#up.break();
    this.#down.break();
  }

  /** The client pings, and gives up where nothing comes back; the server waits. */
  #watchKeepalive(): void {
    if (this.#isWatched || !this.isClientOpen) return;
    this.#isWatched = true;
    this.#network.scheduler.after(this.#keepaliveMs, () => {
      this.#isWatched = false;
      if (!this.#up.isHeld && !this.#down.isHeld) return;
      this.#closeClient(new Error("keepalive: no answer"));
      void this.#up.send(() => this.#closeServer(new Error("the client hung up")));
    });
  }
}

/** What is refused at once ends the stream. */
function served(serve: () => AsyncIterable<unknown>): AsyncIterable<unknown> {
  try {
    return serve();
  } catch (error) {
    const refused = new FrameQueue<unknown>();
    refused.end(error);
    return refused;
  }
}

function reset(): Error {
  return new Error("connection reset");
}
