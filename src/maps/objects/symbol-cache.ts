import { KernelSymbols } from "../../kernel/index.js";

/** Modules and programs that are loaded meanwhile are not found for as long. */
const KEEP_MS = 30_000;

let kept: Promise<KernelSymbols | undefined> | undefined;

/**
 * The kernel's symbols, kept for half a minute because reading them takes a tenth of a
 * second and 6 MB; undefined where the daemon may not see addresses.
 */
export function kernelSymbols(): Promise<KernelSymbols | undefined> {
  if (!kept) {
    // A host without /proc/kallsyms has addresses alone.
    kept = KernelSymbols.read().catch(() => undefined);
    setTimeout(() => {
      kept = undefined;
    }, KEEP_MS).unref();
  }
  return kept;
}
