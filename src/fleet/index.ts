/** The fleet floor: what many hosts share. */

export type {
  CounterStep,
  FleetStep,
  HostAggregate,
  KeySum,
  TopSums,
  Totals,
} from "./aggregate/index.js";
export { type Clock, systemClock } from "./clock.js";
export type { FleetWatch, FleetWatchEvent } from "./fleet-watch/watch-fleet.js";
export { dialRelay } from "./host/dial-relay.js";
export { duplexPair } from "./host/duplex-pair.js";
export { HostAgent, type HostAgentOptions, type OpenSession } from "./host/host-agent.js";
export { HostSets, type HostSetsOptions } from "./host/host-sets.js";
export { localLink } from "./host/local-link.js";
export type { DialedRelay, DialRelay } from "./host/session-link.js";
export { type HostCall, HostCallError, type HostCaller } from "./host-call.js";
export type { AggregateCall, AggregateRound, HostFailure } from "./relay/aggregate-hosts.js";
export type { DialTls } from "./relay/dial.js";
export type { FanOut, FanOutEvent, HostResult, Outcome } from "./relay/fan-out.js";
export type { HostPeer } from "./relay/host-peer.js";
export type { OtherRelays } from "./relay/host-router.js";
export { RelayConnections } from "./relay/other-relays.js";
export { Relay, type RelayOptions } from "./relay/relay.js";
export type { RolloutNow } from "./relay/relay-rollouts.js";
export type { HostEvent } from "./relay/watch-hosts.js";
export type { SetStatusEvent } from "./relay/watch-set-status.js";
export {
  type Control,
  type CounterGate,
  completePlan,
  type GateFailure,
  type GateName,
  type Phase,
  type PlacedHost,
  RolloutError,
  type RolloutErrorCode,
  type RolloutPlan,
  type Standing,
  type Wait,
  type Wave,
} from "./rollout/index.js";
export { hostMatcher } from "./selector.js";
export { messagesOf, partsOf } from "./session/forwarded-messages.js";
export { sessionProtocolError, storeUnavailable } from "./session/session-error.js";
export {
  isSetName,
  type Json,
  type Manifest,
  SetError,
  type SetErrorCode,
} from "./sets/index.js";
export {
  mapSetMessage,
  selectorJson,
  toDriftAction,
  toOwnership,
  toSetSpec,
  writerJson,
} from "./sets-contract.js";
export * from "./store/index.js";
