import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { CallTurns } from "./call-turns.js";

/** Streams of a connection that may wait before it is not read any more. */
const PAUSE_AT = 128;
/** Streams that wait when it is read again. */
const RESUME_AT = 32;

/** The part of Node's handle of a socket that stops and starts reading, below HTTP/2. */
interface ReadHandle {
  readStop?(): void;
  readStart?(): void;
}

/** A connection whose streams wait. */
interface Intake {
  readonly session: ServerHttp2Session;
  waiting: number;
  isPaused: boolean;
}

/**
 * Has the streams of connections, each a call, wait for their turn before grpc-js sees them,
 * and so before most of what a call costs. A connection with many that wait is not read on, so
 * that what a flood brings in at once is bounded: a read has up to 64 KiB.
 */
export class IncomingStreams {
  readonly #turns: CallTurns;
  readonly #callerOf: (session: ServerHttp2Session) => unknown;
  readonly #intakes = new WeakMap<ServerHttp2Session, Intake>();
  /** Connections to be read again, one in a turn of the event loop: each may bring a flood. */
  readonly #resuming: Intake[] = [];

  /** @param callerOf whose turn it is for streams of a session */
  constructor(turns: CallTurns, callerOf: (session: ServerHttp2Session) => unknown) {
    this.#turns = turns;
    this.#callerOf = callerOf;
  }

  /** Takes the streams of a server in. */
  listen(http2Server: Http2Server): void {
    const emit = http2Server.emit.bind(http2Server) as (
      event: string,
      ...args: unknown[]
    ) => boolean;
    const take = (event: string, ...args: unknown[]): boolean => {
      if (event !== "stream" || this.#turns.isFree()) return emit(event, ...args);
      this.#wait(args[0] as ServerHttp2Stream, () => emit(event, ...args));
      return true;
    };
    http2Server.emit = take as typeof http2Server.emit;
  }

  #wait(stream: ServerHttp2Stream, serve: () => void): void {
    const { session } = stream;
    if (session === undefined) return;
    const intake = this.#intakeOf(session as ServerHttp2Session);
    intake.waiting++;
    if (intake.waiting >= PAUSE_AT) pause(intake);
    // Without a listener a stream that is cut while it waits would end the process.
    stream.on("error", ignore);
    // Node tells the end of a request without a body at once, whoever listens.
    let hasEnded = false;
    const ended = () => {
      hasEnded = true;
    };
    stream.on("end", ended);
    this.#turns.enqueue(this.#callerOf(intake.session), session, () => {
      intake.waiting--;
      if (intake.isPaused && intake.waiting <= RESUME_AT) this.#resume(intake);
      stream.off("error", ignore);
      stream.off("end", ended);
      if (stream.destroyed) return;
      serve();
      if (hasEnded) stream.emit("end");
    });
  }

  #intakeOf(session: ServerHttp2Session): Intake {
    let intake = this.#intakes.get(session);
    if (!intake) {
      intake = { session, waiting: 0, isPaused: false };
      this.#intakes.set(session, intake);
    }
    return intake;
  }

  #resume(intake: Intake): void {
    intake.isPaused = false;
    this.#resuming.push(intake);
    if (this.#resuming.length === 1) setImmediate(() => this.#resumeNext());
  }

  #resumeNext(): void {
    const [intake] = this.#resuming.splice(0, 1);
    if (this.#resuming.length > 0) setImmediate(() => this.#resumeNext());
    if (intake) handleOf(intake)?.readStart?.();
  }
}

function ignore(): void {}

/** Node itself may begin to read again, when it has written; then the next stream pauses it anew. */
function pause(intake: Intake): void {
  intake.isPaused = true;
  handleOf(intake)?.readStop?.();
}

/** There is no public way to it: HTTP/2 reads by the handle, and not by the socket. */
function handleOf({ session }: Intake): ReadHandle | null | undefined {
  if (session.destroyed) return undefined;
  return (session.socket as unknown as { _handle?: ReadHandle | null })._handle;
}
