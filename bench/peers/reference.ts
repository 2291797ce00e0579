import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpuSecondsOf } from "../harness/cpu-seconds.js";
import { goProgram } from "../harness/process.js";

/**
 * The reference server (bench/go/reference): grpc-go and cilium/ebpf behind the daemon's
 * own contract, so that the same client asks both for the same.
 */
export class Reference {
  private constructor(
    private readonly process: ChildProcess,
    readonly address: string,
  ) {}

  /** @param flags as bench/go/reference/main.go tells them */
  static async start(address: string, flags: string[] = []): Promise<Reference> {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const child = spawn(goProgram("reference"), [...flags, address], { stdio: [...stdio] });
    const died = once(child, "exit").then(([code]) => {
      throw new Error(`the reference server ended with ${code}`);
    });
    await Promise.race([once(child.stdout, "data"), died]);
    died.catch(() => {});
    return new Reference(child, address);
  }

  /** CPU time since its start, in seconds. */
  async cpuSeconds(): Promise<number> {
    return cpuSecondsOf(this.process);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.kill();
    await ended;
  }
}
