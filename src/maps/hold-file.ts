/** A hold as the name of its pin in the daemon's directory tells it. */
export interface HoldFile {
  readonly name: string;
  readonly leaseMs?: number | undefined;
}

const PATTERN = /^([A-Za-z0-9][A-Za-z0-9_-]{0,62})(?:@(\d{1,15}))?$/;

/**
 * The file name of a hold's pin: NAME, or NAME@MILLISECONDS with a lease. The lease
 * lies in the name, because rename(2) then replaces it atomically and nothing else has
 * to be kept beside bpffs to survive a crash.
 */
export function holdFileName(hold: HoldFile): string {
  return hold.leaseMs === undefined ? hold.name : `${hold.name}@${hold.leaseMs}`;
}

/** The hold that a file name tells of; undefined where it is none's. */
export function parseHoldFileName(file: string): HoldFile | undefined {
  const match = PATTERN.exec(file);
  if (!match?.[1]) return undefined;
  return { name: match[1], leaseMs: match[2] === undefined ? undefined : Number(match[2]) };
}
