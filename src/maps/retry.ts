import type { Errno } from "../kernel/index.js";
import { isContended } from "./explain.js";

const TRIES = 8;

/**
 * Calls until the kernel no longer finds the map busy, eight times at most; answers the
 * last result. Contention on a hash bucket lasts no longer than another CPU's update.
 */
export function whileContended(call: () => Errno | undefined): Errno | undefined {
  let errno = call();
  for (let tries = 1; tries < TRIES && errno !== undefined && isContended(errno); tries++) {
    errno = call();
  }
  return errno;
}
