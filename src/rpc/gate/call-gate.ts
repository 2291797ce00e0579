import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import {
  type Metadata,
  type ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import {
  type AccessControl,
  Callers,
  CallShare,
  DEFAULT_LIMITS,
  type Limits,
  type Principal,
  type Slot,
} from "../../access/index.js";
import { MapError } from "../../maps/index.js";
import { errorStatus } from "../error-status.js";
import { CallTurns } from "../turns/call-turns.js";
import { IncomingStreams } from "../turns/incoming-streams.js";
import type { Audit } from "./audit.js";
import { CallGuard } from "./call-guard.js";
import { ConnectionPeers } from "./connection-peers.js";
import { GatedCall, type IncomingCall } from "./gated-call.js";
import type { RpcRule } from "./rpc-rules.js";

interface OpenRpc {
  readonly rule: RpcRule;
  readonly isStream: boolean;
  /** What a call of it takes of what its caller may have at a time. */
  readonly slots: readonly Slot[];
}

const NO_SLOTS: readonly Slot[] = [];

/** What a call is let in by. */
export interface GateOptions {
  /** Absent where everybody who is connected may do everything. */
  readonly control?: AccessControl | undefined;
  /** Absent where nothing is audited. */
  readonly audit?: Audit | undefined;
  readonly reportDefect: (error: unknown, rpc: string) => void;
}

/**
 * Where every call waits for its turn, and is asked who makes it and whether it may, before
 * anything of it is read. What a call may do to the maps that it names is asked where they
 * are resolved, by the access that its guard carries.
 */
export class CallGate {
  readonly turns = new CallTurns();
  readonly #control: AccessControl | undefined;
  readonly #audit: Audit | undefined;
  readonly #callers = new Callers();
  readonly #peers = new ConnectionPeers();
  readonly #incoming = new IncomingStreams(this.turns, (session) => this.#peers.callerOf(session));
  readonly #rpcs = new Map<string, OpenRpc>();
  readonly #guards = new WeakMap<Metadata, CallGuard>();
  readonly #reportDefect: (error: unknown, rpc: string) => void;

  constructor({ control, audit, reportDefect }: GateOptions) {
    this.#control = control;
    this.#audit = audit;
    this.#reportDefect = reportDefect;
  }

  /** Lets an RPC be called by those that its rule names; no other can be called at all. */
  open(path: string, rule: RpcRule, isStream: boolean): void {
    const { slot } = rule;
    const slots: Slot[] = ["calls", ...(isStream ? ["streams" as const] : [])];
    this.#rpcs.set(path.slice(1), { rule, isStream, slots: slot ? [...slots, slot] : slots });
  }

  /** Notes the sessions of a server, and takes their calls in. */
  listen(http2Server: Http2Server): void {
    this.#peers.listen(http2Server);
    this.#incoming.listen(http2Server);
  }

  /**
   * Has a connection served for a peer, unless that one has as many as it may: throws
   * CALLER_LIMIT_EXCEEDED then.
   */
  arrive(peer: Principal, connection: Duplex, serve: () => void): void {
    const limiter = this.#callers.of(connectionOwner(peer));
    limiter.take("connections", this.#limitsOf(peer));
    connection.once("close", () => limiter.give("connections"));
    this.#peers.arrive(peer, serve);
  }

  /** The guard of the call that came with this metadata. */
  guardOf(metadata: Metadata): CallGuard | undefined {
    return this.#guards.get(metadata);
  }

  /** Has {@link guardOf} find a call that is let in. */
  remember(metadata: Metadata, guard: CallGuard): void {
    this.#guards.set(metadata, guard);
  }

  /** Must be the last, so that those before it see the statuses that it sends. */
  readonly interceptor: ServerInterceptor = (method, given) => {
    const call = given as unknown as IncomingCall;
    const start = call.start.bind(call);
    call.start = (listener) => start(new GatedCall(this, method, call, listener));
    return given as ServerInterceptingCall;
  };

  /** Who makes a call. Throws a MapError, which is audited. */
  identify(
    session: ServerHttp2Session | undefined,
    path: string,
    metadata: Metadata,
  ): Principal | Promise<Principal> {
    const connection = this.#peers.of(session);
    if (!this.#control) return connection;
    const [authorization] = metadata.get("authorization");
    const refused = (error: unknown): never => {
      if (error instanceof MapError) {
        this.#audit?.refused(connection, path.slice(1), error, metadata);
      }
      throw error;
    };
    try {
      const who = this.#control.identify(connection, authorization?.toString());
      return who instanceof Promise ? who.catch(refused) : who;
    } catch (error) {
      return refused(error);
    }
  }

  /**
   * Lets a call in that may be made; its guard has to be closed when it is over. Throws a
   * MapError: CALLER_LIMIT_EXCEEDED, or what is audited.
   *
   * @param connection the session that the call came by
   * @param rpc the RPC's path without the first slash
   * @param isPart whether it is part of another call, a pipeline, and takes no place of its own
   */
  letIn(
    who: Principal,
    connection: ServerHttp2Session | undefined,
    rpc: string,
    metadata: Metadata,
    isPart = false,
  ): CallGuard {
    const open = this.#rpcs.get(rpc);
    if (!open) throw new Error("the RPC has no rule that says who may call it");
    const slots = isPart ? NO_SLOTS : open.slots;
    // Before all else, so that a flood of calls that are denied is no flood of audit lines.
    const share = new CallShare(this.#callers.of(who.name), this.#limitsOf(who), slots);
    const control = this.#control;
    if (!control) return new CallGuard(undefined, { who, connection, share }, open.isStream);
    this.#peers.called(connection, who);
    try {
      this.#audit?.checkReady(open.rule);
      const access = control.begin(who, rpc, open.rule.verbs, open.rule.role);
      const audit = this.#audit?.begin(access.record, open.rule, open.isStream, metadata);
      return new CallGuard(control, { who, connection, share, access, audit }, open.isStream);
    } catch (error) {
      share.close();
      if (error instanceof MapError) this.#audit?.refused(who, rpc, error, metadata);
      throw error;
    }
  }

  /** The status of a call that is not let in. */
  refusal(error: unknown, path: string): Parameters<IncomingCall["sendStatus"]>[0] {
    if (error instanceof MapError) return errorStatus(error);
    this.#reportDefect(error, path.slice(1));
    return { code: status.INTERNAL, details: "the daemon cannot tell who calls" };
  }

  #limitsOf(who: Principal): Limits {
    return this.#control?.grantsOf(who).limits ?? DEFAULT_LIMITS;
  }
}

/** Who has proven nothing yet is told from others by its address. */
function connectionOwner({ name, peer, unix, sans }: Principal): string {
  if (unix || sans.length > 0) return name;
  return `${name} at ${peer.slice(0, Math.max(0, peer.lastIndexOf(":")))}`;
}
