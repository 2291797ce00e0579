import type { RelayOptions } from "#dist/fleet/index.js";
import type { Process } from "../world/machine.ts";
import type { World } from "../world/world.ts";

type Log = RelayOptions["log"];

/** What a process logs stands in the history; an error is one that must not come. */
export function noteLog(world: World, process: Process): Log {
  const { name } = process;
  const note = (fields: object, message: string) => {
    if (!process.isAlive) return;
    const { host, err } = fields as { host?: string; err?: string };
    const about = host === undefined ? [name] : [name, host];
    // A lease has an id that nobody can foretell.
    const why = err?.replace(/lease [0-9a-f]+/, "lease");
    world.history.note(about, why === undefined ? message : `${message}: ${why}`);
  };
  const log = {
    debug: () => {},
    info: note,
    warn: note,
    error: (fields: { err?: unknown }, message: string) => {
      if (process.isAlive) world.history.violate([name], `${name} logs: ${message}: ${fields.err}`);
    },
  };
  return log as unknown as Log;
}
