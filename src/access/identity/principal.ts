/** One who calls, as far as it was proven. What was not proven is absent. */
export interface Principal {
  /** For people and for the audit: a SPIFFE id, a DNS name, a token's subject, or "uid 0". */
  readonly name: string;
  /** Where it called from: "unix", or address and port of a TCP peer. */
  readonly peer: string;
  /** Of a unix socket: what the kernel noted when it connected. */
  readonly unix?: UnixProof | undefined;
  /** URI and DNS names of the certificate that it has the key of; empty without one. */
  readonly sans: readonly string[];
  /** Claims of a bearer token whose signature was verified. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The relay that speaks for it, where its calls come by one; its own name is what that says. */
  readonly relay?: string | undefined;
  /** When the token runs out, in milliseconds since the epoch. */
  readonly expiresAtMs?: number | undefined;
}

/** What a unix socket proves. */
export interface UnixProof {
  readonly uid: number;
  readonly gids: readonly number[];
  /** In the daemon's pid namespace; 0 where it sees none. May be another process's by now. */
  readonly pid: number;
}

/** Whether anything at all was proven. */
export function isAnonymous({ unix, sans, claims }: Principal): boolean {
  return unix === undefined && sans.length === 0 && claims === undefined;
}
