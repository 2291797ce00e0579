import { onTestFinished } from "vitest";
import {
  type Assembler,
  closeFd,
  type MapCreation,
  mapCreate,
  type ProgramLoad,
  ProgramType,
  programLoad,
  programTestRun,
} from "#dist/kernel/index.js";

/** The smallest packet that the kernel lets a program be tried on. */
export const PACKET = new Uint8Array(14);

/** A map that goes when the test is over. */
export function testMap(creation: MapCreation): number {
  const fd = mapCreate(creation);
  onTestFinished(() => closeFd(fd));
  return fd;
}

/** A socket filter, or another program, that goes when the test is over. */
export function testProgram(program: Assembler, load: Partial<ProgramLoad> = {}): number {
  const instructions = program.build();
  const fd = programLoad({ type: ProgramType.SOCKET_FILTER, ...load, instructions });
  onTestFinished(() => closeFd(fd));
  return fd;
}

/** Runs a program for packets once: what it returned. */
export function returned(programFd: number): number {
  return programTestRun(programFd, { data: PACKET }).returnValue;
}
