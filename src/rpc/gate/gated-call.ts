import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Metadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { Principal } from "../../access/index.js";
import { sizeOf } from "../adapter/codec.js";
import type { CallGate } from "./call-gate.js";
import type { CallGuard } from "./call-guard.js";

/** A call of grpc-js' server, with the HTTP/2 stream that it came by. */
export type IncomingCall = ServerInterceptingCallInterface & { readonly stream: ServerHttp2Stream };

type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** A call on its way in: nothing of it goes on before it was let in. */
export class GatedCall implements Listener {
  readonly #gate: CallGate;
  readonly #path: string;
  readonly #isRequestStream: boolean;
  readonly #call: IncomingCall;
  readonly #listener: Listener;
  #guard: CallGuard | undefined;
  #isOver = false;

  constructor(
    gate: CallGate,
    { path, requestStream }: { readonly path: string; readonly requestStream: boolean },
    call: IncomingCall,
    listener: Listener,
  ) {
    this.#gate = gate;
    this.#path = path;
    this.#isRequestStream = requestStream;
    this.#call = call;
    this.#listener = listener;
  }

  onReceiveMetadata(metadata: Metadata): void {
    const session = this.#call.stream.session as ServerHttp2Session | undefined;
    try {
      const who = this.#gate.identify(session, this.#path, metadata);
      if (!(who instanceof Promise)) {
        this.#letIn(who, session, metadata);
        return;
      }
      const known = who.then((verified) => this.#letIn(verified, session, metadata));
      known.catch((error) => this.#refuse(error));
    } catch (error) {
      this.#refuse(error);
    }
  }

  onReceiveMessage(message: unknown): void {
    const share = this.#guard?.share;
    const bytes = sizeOf(message);
    if (this.#isRequestStream) {
      share?.whenRoom(bytes, () => this.#listener.onReceiveMessage(message));
      return;
    }
    try {
      share?.takeBytes(bytes);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.#listener.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.#listener.onReceiveHalfClose();
  }

  onCancel(): void {
    this.#isOver = true;
    this.#guard?.close();
    this.#listener.onCancel();
  }

  #letIn(who: Principal, session: ServerHttp2Session | undefined, metadata: Metadata): void {
    if (this.#isOver) return;
    this.#guard = this.#gate.letIn(who, session, this.#path.slice(1), metadata);
    this.#gate.remember(metadata, this.#guard);
    this.#listener.onReceiveMetadata(metadata);
  }

  #refuse(error: unknown): void {
    this.#call.sendStatus(this.#gate.refusal(error, this.#path));
  }
}
