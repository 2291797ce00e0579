import type { Http2Server, ServerHttp2Stream } from "node:http2";
import {
  type Metadata,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import type { AccessControl, Principal } from "../../access/index.js";
import { MapError } from "../../maps/index.js";
import { errorStatus } from "../error-status.js";
import type { Audit } from "./audit.js";
import { CallGuard } from "./call-guard.js";
import { ConnectionPeers } from "./connection-peers.js";
import type { RpcRule } from "./rpc-rules.js";

type Call = ServerInterceptingCallInterface & { readonly stream: ServerHttp2Stream };

/**
 * Where every call is asked who makes it and whether it may, before anything of it is
 * read. What a call may do to the maps that it names is asked where they are resolved,
 * by the access that its guard carries.
 */
export class CallGate {
  readonly #control: AccessControl;
  readonly #audit: Audit | undefined;
  readonly #peers = new ConnectionPeers();
  readonly #rules = new Map<string, RpcRule>();
  readonly #guards = new WeakMap<Metadata, CallGuard>();
  readonly #reportDefect: (error: unknown, rpc: string) => void;

  constructor(
    control: AccessControl,
    audit: Audit | undefined,
    reportDefect: (error: unknown, rpc: string) => void,
  ) {
    this.#control = control;
    this.#audit = audit;
    this.#reportDefect = reportDefect;
  }

  /** Lets an RPC be called by those that its rule names; no other can be called at all. */
  open(path: string, rule: RpcRule): void {
    this.#rules.set(path, rule);
  }

  /** Notes the sessions of a server. */
  listen(http2Server: Http2Server): void {
    this.#peers.listen(http2Server);
  }

  /** Has a connection served for a peer. */
  arrive(peer: Principal, serve: () => void): void {
    this.#peers.arrive(peer, serve);
  }

  /** The guard of the call that came with this metadata. */
  guardOf(metadata: Metadata): CallGuard | undefined {
    return this.#guards.get(metadata);
  }

  /** Must be the last, so that those before it see the statuses that it sends. */
  readonly interceptor: ServerInterceptor = (method, given) => {
    const call = given as unknown as Call;
    const start = call.start.bind(call);
    call.start = (listener) => {
      let guard: CallGuard | undefined;
      let isOver = false;
      const letIn = (metadata: Metadata, admitted: CallGuard) => {
        guard = admitted;
        if (isOver) {
          guard.close();
          return;
        }
        this.#guards.set(metadata, guard);
        listener.onReceiveMetadata(metadata);
      };
      start({
        onReceiveMetadata: (metadata) => {
          const isStream = method.requestStream || method.responseStream;
          void this.#admit(call, method.path, metadata, isStream).then(
            (admitted) => letIn(metadata, admitted),
            (error: unknown) => this.#refuse(call, method.path, error),
          );
        },
        onReceiveMessage: (message) => listener.onReceiveMessage(message),
        onReceiveHalfClose: () => listener.onReceiveHalfClose(),
        onCancel: () => {
          isOver = true;
          guard?.close();
          listener.onCancel();
        },
      });
    };
    return given as ServerInterceptingCall;
  };

  async #admit(
    call: Call,
    path: string,
    metadata: Metadata,
    isStream: boolean,
  ): Promise<CallGuard> {
    const connection = this.#peers.of(call.stream.session as never);
    const [authorization] = metadata.get("authorization");
    let who = connection;
    try {
      who = await this.#control.identify(connection, authorization?.toString());
    } catch (error) {
      if (error instanceof MapError) this.#audit?.refused(who, path.slice(1), error, metadata);
      throw error;
    }
    return this.letIn(who, path.slice(1), metadata, isStream);
  }

  /**
   * Lets a call in that may be made; its guard has to be closed when it is over. Throws a
   * MapError, which is audited.
   *
   * @param rpc the RPC's path without the first slash
   */
  letIn(who: Principal, rpc: string, metadata: Metadata, isStream: boolean): CallGuard {
    const rule = this.#rules.get(`/${rpc}`);
    if (!rule) throw new Error("the RPC has no rule that says who may call it");
    try {
      this.#audit?.checkReady(rule);
      const access = this.#control.begin(who, rpc, rule.verbs);
      const audit = this.#audit?.begin(access.record, rule, isStream, metadata);
      return new CallGuard(this.#control, access, isStream, audit);
    } catch (error) {
      if (error instanceof MapError) this.#audit?.refused(who, rpc, error, metadata);
      throw error;
    }
  }

  #refuse(call: Call, path: string, error: unknown): void {
    if (error instanceof MapError) {
      call.sendStatus(errorStatus(error));
      return;
    }
    this.#reportDefect(error, path.slice(1));
    call.sendStatus({ code: status.INTERNAL, details: "the daemon cannot tell who calls" });
  }
}
