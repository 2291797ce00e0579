import { EventEmitter, once } from "node:events";
import { type Server, status } from "@grpc/grpc-js";
import type { CallRuntime } from "./adapter/runtime.js";
import { addService } from "./adapter/service.js";
import { StatusError } from "./error-status.js";
import { healthRules } from "./gate/rpc-rules.js";
import {
  Health,
  HealthCheckResponse_ServingStatus as State,
} from "./gen/grpc/health/v1/health_pb.js";

/**
 * grpc.health.v1.Health for some services and for the daemon as a whole (""). Own code
 * and not the grpc-health-check package: that one cannot end its watches, for which a
 * shutdown would wait, and its descriptors are not fit for reflection.
 */
export class HealthService {
  readonly #services: ReadonlySet<string>;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #state = State.NOT_SERVING;

  constructor(services: readonly string[]) {
    this.#services = new Set(["", ...services]);
  }

  /** What all services are from now on. */
  setServing(serving: boolean): void {
    this.#state = serving ? State.SERVING : State.NOT_SERVING;
    this.#changes.emit("change");
  }

  addTo(server: Server, runtime: CallRuntime): void {
    const health = this;
    addService(
      server,
      Health,
      {
        async check({ service }) {
          if (!health.#services.has(service)) {
            throw new StatusError(status.NOT_FOUND, `the daemon has no service "${service}"`);
          }
          return { status: health.#state };
        },
        async *watch({ service }, { signal }) {
          const known = health.#services.has(service);
          for (;;) {
            yield { status: known ? health.#state : State.SERVICE_UNKNOWN };
            await once(health.#changes, "change", { signal });
          }
        },
        async list() {
          const state = { status: health.#state };
          return {
            statuses: Object.fromEntries([...health.#services].map((name) => [name, state])),
          };
        },
      },
      healthRules,
      runtime,
    );
  }
}
