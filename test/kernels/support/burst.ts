import { expect, onTestFinished } from "vitest";
import {
  Assembler,
  closeFd,
  FP,
  ProgramType,
  programLoad,
  programTestRun,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
} from "#dist/kernel/index.js";
import { type KernelMap, makeMap } from "../../maps/support/kernel-map.js";

/** Keys that a burst goes round, in a map of 4-byte keys and 8-byte values. */
export const BURST_KEYS = 1000;

/** Runs a program that puts the numbers from 0 on, a multiple of 1000 of them, going round the keys. */
export function burst(map: KernelMap, updates: number): void {
  const counter = makeMap("ARRAY", { maxEntries: 1 });
  const instructions = new Assembler()
    .mov(R6, 0)
    .label("next")
    .loadMapValue(R1, counter.fd)
    .load("u64", R2, R1, 0)
    .store("u64", FP, -8, R2)
    .mov(R3, R2)
    .mod(R3, BURST_KEYS)
    .store("u32", FP, -12, R3)
    .add(R2, 1)
    .store("u64", R1, 0, R2)
    .loadMap(R1, map.fd)
    .mov(R2, FP)
    .add(R2, -12)
    .mov(R3, FP)
    .add(R3, -8)
    .mov(R4, 0)
    .call("map_update_elem")
    .jumpIf(R0, "!=", 0, "failed")
    .add(R6, 1)
    .jumpIf(R6, "<", BURST_KEYS, "next")
    .return(0)
    .label("failed")
    .return(1)
    .build();
  const fd = programLoad({ type: ProgramType.SOCKET_FILTER, instructions });
  onTestFinished(() => closeFd(fd));
  const { returnValue } = programTestRun(fd, {
    data: Buffer.alloc(64),
    repeat: updates / BURST_KEYS,
  });
  expect(returnValue).toBe(0);
}

/** The number that a value is, by its hex; -1 for a delete. */
export function numberIn(shown: string | undefined): bigint {
  return shown === undefined ? -1n : Buffer.from(shown, "hex").readBigUInt64LE();
}

/** Hex of the key that a number is put at. */
export function burstKey(number: number): string {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(number % BURST_KEYS);
  return key.toString("hex");
}
