/** The fleet floor: what many hosts share. */
export { type Clock, systemClock } from "./clock.js";
export * from "./store/index.js";
