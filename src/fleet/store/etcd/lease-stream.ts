import { status } from "@grpc/grpc-js";
import { Lease, type LeaseKeepAliveResponse } from "../gen/etcd/api/etcdserverpb/rpc_pb.js";
import type { Endpoint, EndpointStream } from "./endpoint.js";
import { serviceError } from "./etcd-failure.js";

interface Waiting {
  readonly resolve: (answer: LeaseKeepAliveResponse) => void;
  readonly reject: (error: unknown) => void;
}

type Stream = EndpointStream<
  typeof Lease.method.leaseKeepAlive.input,
  typeof Lease.method.leaseKeepAlive.output
>;

/** Refreshes of any number of leases over one stream, which is made when it is needed. */
export class LeaseStream {
  #stream: Stream | undefined;
  /** By lease, in the order of the requests, which is that of the answers. */
  #waiting = new Map<bigint, Waiting[]>();

  /** One refresh. Throws ServiceErrors, as other calls do. */
  async refresh(
    id: bigint,
    endpoint: Endpoint,
    token: string | undefined,
    timeoutMs: number,
  ): Promise<LeaseKeepAliveResponse> {
    this.#stream ??= this.#open(endpoint, token);
    const stream = this.#stream;
    const overdue = serviceError(status.DEADLINE_EXCEEDED, "no answer to a lease refresh");
    const timer = setTimeout(() => this.#end(stream, overdue), timeoutMs);
    try {
      return await new Promise((resolve, reject) => {
        const waiting = this.#waiting.get(id) ?? [];
        waiting.push({ resolve, reject });
        this.#waiting.set(id, waiting);
        stream.send({ ID: id });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    if (this.#stream === undefined) return;
    this.#end(this.#stream, serviceError(status.CANCELLED, "the store was closed"));
  }

  #open(endpoint: Endpoint, token: string | undefined): Stream {
    const stream: Stream = endpoint.stream(Lease.method.leaseKeepAlive, token);
    void this.#read(stream).catch((error) => this.#end(stream, error));
    return stream;
  }

  async #read(stream: Stream): Promise<never> {
    for await (const answer of stream) {
      const waiting = this.#waiting.get(answer.ID);
      const first = waiting?.shift();
      if (waiting?.length === 0) this.#waiting.delete(answer.ID);
      first?.resolve(answer);
    }
    throw serviceError(status.UNAVAILABLE, "etcd ended the stream of lease refreshes");
  }

  /** All that wait try anew, on another stream. */
  #end(stream: Stream, error: unknown): void {
    stream.cancel();
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting = new Map();
    for (const { reject } of waiting) reject(error);
  }
}
