import { pino } from "pino";
import { expect } from "vitest";
import type { Store } from "#dist/fleet/index.js";
import {
  admittedTickets,
  assess,
  type Control,
  type FleetView,
  hasEnded,
  isForward,
  RolloutDriver,
  RolloutError,
  type RolloutPlan,
  type RolloutState,
  Rollouts,
  rolloutTargets,
  type StoredRollout,
  ticketOf,
} from "#dist/fleet/rollout/index.js";
import { Died, type Fault, FaultyConnection } from "./faulty-store.ts";
import { StepClock } from "./fixture.ts";

const log = pino({ level: "silent" });
/** What a driver counts at most where its clock jumps. */
const LONGEST_GAP_MS = 5_000;

interface SimulatedHost {
  readonly id: string;
  isReachable: boolean;
  /** The generation that it was told last. */
  target: number;
  applied: number;
  error: { generation: number; message: string } | undefined;
  hasDrifted: boolean;
  /** Whether it cannot apply the new generation. */
  isBroken: boolean;
}

/** A driver, with a clock of its own, and what it saw last. */
interface SimulatedDriver {
  readonly clock: StepClock;
  readonly driver: RolloutDriver;
  readonly connection: FaultyConnection;
  seen: StoredRollout | undefined;
}

/**
 * A fleet of simulated hosts, drivers that may die, and somebody at the controls; with what must
 * hold, looked at after every step by means of its own.
 */
export class World {
  readonly #store: Store;
  readonly #set: string;
  readonly #plan: RolloutPlan;
  readonly #hosts = new Map<string, SimulatedHost>();
  readonly #counters = new Map<string, number>();
  readonly #rollouts: Rollouts;
  readonly #drivers: SimulatedDriver[];
  #time = 0;
  #jumps = 0;
  #last: StoredRollout;
  /** Controls that were answered, the newest last. */
  readonly #acknowledged: Control[] = [];
  /** Since when nobody further was told. */
  #toldAt = 0;
  /** What the wave may have by the independent count. */
  #allowed = 0;

  private constructor(store: Store, set: string, first: StoredRollout) {
    this.#store = store;
    this.#set = set;
    this.#plan = first.state.plan;
    this.#last = first;
    this.#rollouts = new Rollouts(store, { clock: new StepClock() });
    this.#drivers = [this.#newDriver(0), this.#newDriver(1_000_000)];
  }

  static async of(store: Store, set: string): Promise<World> {
    const first = await new Rollouts(store).get(set);
    return new World(store, set, first);
  }

  get state(): RolloutState {
    return this.#last.state;
  }

  join(id: string): void {
    if (this.#hosts.has(id)) return;
    this.#hosts.set(id, {
      ...{ id, isReachable: true, target: 4, applied: 4, error: undefined },
      ...{ hasDrifted: false, isBroken: false },
    });
  }

  leave(place: number): void {
    const host = this.#host(place);
    if (host) this.#hosts.delete(host.id);
  }

  change(place: number, facts: Partial<SimulatedHost>): void {
    const host = this.#host(place);
    if (host) Object.assign(host, facts);
  }

  /** A host is told its target. */
  tell(place: number): void {
    const host = this.#host(place);
    if (host?.isReachable) host.target = rolloutTargets(this.state)(host.id);
  }

  /** A host does what it was told, which may be other than what it is to have by now. */
  obey(place: number): void {
    const host = this.#host(place);
    if (host !== undefined) this.#obey(host);
    this.#checkApplied();
  }

  count(name: string, value: number | undefined): void {
    if (value === undefined) this.#counters.delete(name);
    else this.#counters.set(name, value);
  }

  pass(ms: number): void {
    this.#time += ms;
    for (const { clock } of this.#drivers) clock.pass(ms);
  }

  /** The clock of one driver jumps, or it stood still. */
  jump(which: number, ms: number): void {
    this.#jumps++;
    this.#driver(which).clock.pass(ms);
  }

  /** A driver reads what it decides by, which may be old when it does. */
  async see(which: number): Promise<void> {
    this.#driver(which).seen = await this.#rollouts.get(this.#set);
  }

  async drive(which: number, fault?: Fault): Promise<void> {
    const own = this.#driver(which);
    own.seen ??= await this.#rollouts.get(this.#set);
    if (hasEnded(own.seen.state)) return;
    own.connection.fault = fault;
    try {
      own.seen = await own.driver.drive(own.seen);
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      this.#drivers[which % 2] = this.#newDriver(own.clock.now());
    } finally {
      own.connection.fault = undefined;
    }
    await this.#check(undefined);
  }

  async control(control: Control, fault?: Fault): Promise<void> {
    const { store } = new FaultyConnection(this.#store, fault);
    const rollouts = new Rollouts(store, { clock: new StepClock() });
    try {
      await rollouts.control(this.#set, { control, by: "alice" });
      this.#acknowledged.push(control);
    } catch (error) {
      // One that died may have done it; who was refused has not.
      if (error instanceof Died) {
        const { modRevision } = await this.#rollouts.get(this.#set);
        if (modRevision !== this.#last.modRevision) this.#acknowledged.push(control);
      } else if (!(error instanceof RolloutError && error.code === "NOT_POSSIBLE")) throw error;
    }
    await this.#check(control);
  }

  /** Time goes by, hosts do what they are told, and a driver looks every few seconds. */
  async goOn(which: number, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (let place = 0; place < this.#hosts.size; place++) this.tell(place);
      for (let place = 0; place < this.#hosts.size; place++) this.obey(place);
      this.pass(4_000);
      await this.see(which);
      await this.drive(which);
    }
  }

  /** All is well from now on: it has to end, with every host as it was told. */
  async finish(): Promise<void> {
    for (const { name } of this.#plan.counters) this.#counters.set(name, 5);
    if (this.#hosts.size === 0) this.join("last");
    for (const host of this.#hosts.values()) {
      Object.assign(host, { isReachable: true, isBroken: false, hasDrifted: false });
    }
    for (let rounds = 0; !hasEnded(this.state); rounds++) {
      expect(rounds, "it does not end").toBeLessThan(200);
      this.#tellAndObey();
      this.pass(4_000);
      if (this.state.hold !== undefined) await this.control("resume");
      await this.see(rounds);
      await this.drive(rounds);
    }
    this.#tellAndObey();
    const { phase, from, to } = this.state;
    const applied = new Set([...this.#hosts.values()].map((host) => host.applied));
    if (phase !== "aborted") expect([...applied]).toEqual([phase === "completed" ? to : from]);
  }

  /** What must hold of every change, by whomever. */
  async #check(control: Control | undefined): Promise<void> {
    const before = this.#last;
    const now = await this.#rollouts.get(this.#set);
    this.#last = now;
    if (now.modRevision !== before.modRevision) {
      if (control === undefined) this.#checkStep(before.state, now.state);
      this.#checkTargets(before.state, now.state);
    }
    this.#checkControls(now.state);
    const { waitsFor } = assess(now.state, this.#view());
    expect(waitsFor === undefined).toBe(hasEnded(now.state));
    if (waitsFor) expect(waitsFor.message).not.toBe("");
  }

  /** A step that the rollout took by itself. */
  #checkStep(before: RolloutState, now: RolloutState): void {
    expect(before.hold, "moved while paused").toBeUndefined();
    expect(hasEnded(before), "moved after its end").toBe(false);
    const told = admittedTickets(before);
    const isFurther = [...admittedTickets(now)].some((ticket) => !told.has(ticket));
    const isOn = now.wave > before.wave || now.phase === "completed";
    if (isFurther || (isOn && before.phase !== "completed")) {
      expect(isForward(before)).toBe(true);
      this.#checkGates(before);
    }
    if (before.size === 0 && now.size !== 0) this.#allowed = this.#allowedNow(now);
    if (isForward(now)) {
      expect(this.#toldHosts(now).length, "more than the wave may have").toBeLessThanOrEqual(
        this.#allowed,
      );
    }
    if (isOn) this.#checkEndOfWave(before);
    if (isFurther && now.size !== undefined) this.#toldAt = this.#time;
    if (now.phase === "rolledBack") {
      for (const host of this.#hosts.values()) {
        if (host.isReachable) expect(host.applied, `${host.id} is not back`).toBe(before.from);
      }
    }
    expect([before.wave, before.wave + 1]).toContain(now.wave);
  }

  #checkGates(state: RolloutState): void {
    const reachable = this.#toldHosts(state).filter(({ isReachable }) => isReachable);
    const failed = reachable.filter(({ error }) => error?.generation === state.to);
    expect(failed.length, "past failed hosts").toBeLessThanOrEqual(this.#plan.maxFailures);
    const drifted = reachable.filter((host) => host.applied === state.to && host.hasDrifted);
    const { maxDrifted = Number.POSITIVE_INFINITY } = this.#plan;
    expect(drifted.length, "past drifted hosts").toBeLessThanOrEqual(maxDrifted);
    for (const { name, above, of } of this.#plan.counters) {
      if (of === "value") expect(this.#counters.get(name) ?? 0).toBeLessThanOrEqual(above!);
    }
  }

  #checkEndOfWave(state: RolloutState): void {
    const told = this.#toldHosts(state);
    const away = told.filter(({ isReachable }) => !isReachable);
    expect(away.length, "past unreachable hosts").toBeLessThanOrEqual(this.#plan.maxUnreachable);
    const done = told.filter((host) => host.isReachable && host.applied === state.to);
    expect(done.length, "without any host").toBeGreaterThan(0);
    const failed = told.filter((host) => host.isReachable && host.error?.generation === state.to);
    expect(away.length + done.length + failed.length, "past pending hosts").toBeGreaterThanOrEqual(
      told.length,
    );
    for (const { name } of this.#plan.counters) expect(this.#counters.has(name)).toBe(true);
    const bakeMs = this.#plan.waves[state.wave]!.bakeMs ?? this.#plan.bakeMs;
    const looked = this.#time - this.#toldAt + this.#jumps * LONGEST_GAP_MS;
    expect(looked, "sooner than the bake time").toBeGreaterThanOrEqual(bakeMs);
  }

  /** Nobody is taken back but by a rollback, or where it has left. */
  #checkTargets(before: RolloutState, now: RolloutState): void {
    if (!isForward(now) && now.phase !== "completed") return;
    const [was, is] = [rolloutTargets(before), rolloutTargets(now)];
    for (const { id } of this.#hosts.values()) {
      if (was(id) === now.to) expect(is(id), `${id} was taken back`).toBe(now.to);
    }
  }

  #checkControls({ phase, hold }: RolloutState): void {
    const last = this.#acknowledged.at(-1);
    if (last === "pause") expect(hold, "a pause was lost").toBeDefined();
    if (last === "abort") expect(phase).toBe("aborted");
    if (last === "rollBack") expect(["rollingBack", "rolledBack"]).toContain(phase);
  }

  /** What the hosts really have. */
  #checkApplied(): void {
    if (!isForward(this.state)) return;
    const { to } = this.state;
    const applied = [...this.#hosts.values()].filter((host) => host.applied === to);
    expect(applied.length, "more than the wave may have").toBeLessThanOrEqual(this.#allowed);
  }

  #allowedNow({ wave }: RolloutState): number {
    const one = this.#plan.waves[wave]!;
    const count = this.#hosts.size;
    if ("percent" in one && one.percent === 100) return Number.POSITIVE_INFINITY;
    const wanted = "hosts" in one ? one.hosts : Math.floor((one.percent * count + 99) / 100);
    return Math.max(wanted, this.#allowed);
  }

  #toldHosts(state: RolloutState): SimulatedHost[] {
    const tickets = admittedTickets(state);
    return [...this.#hosts.values()].filter(({ id }) => tickets.has(ticketOf(state.id, id)));
  }

  #tellAndObey(): void {
    const targetOf = rolloutTargets(this.state);
    for (const host of this.#hosts.values()) {
      host.target = targetOf(host.id);
      this.#obey(host);
    }
  }

  #obey(host: SimulatedHost): void {
    const { target } = host;
    if (host.isBroken && target === this.state.to) {
      host.error = { generation: target, message: "the map is full" };
    } else if (host.applied !== target || host.error !== undefined) {
      Object.assign(host, { applied: target, error: undefined, hasDrifted: false });
    }
  }

  #host(place: number): SimulatedHost | undefined {
    return [...this.#hosts.values()][place % Math.max(1, this.#hosts.size)];
  }

  #driver(which: number): SimulatedDriver {
    return this.#drivers[which % 2]!;
  }

  #view(): FleetView {
    return { hosts: [...this.#hosts.values()], counters: this.#counters };
  }

  #newDriver(now: number): SimulatedDriver {
    const clock = new StepClock(now);
    const connection = new FaultyConnection(this.#store);
    const observer = { observe: async () => this.#view() };
    const options = { relayId: "relay", log, clock };
    const driver = new RolloutDriver(connection.store, observer, options);
    return { clock, driver, connection, seen: undefined };
  }
}
