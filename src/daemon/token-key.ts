import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const KEY_BYTES = 32;

/**
 * The key that resume tokens of watches are made with. It lies beside the unix socket,
 * readable by the daemon only, so that the next daemon tells a token of this one, which
 * has only grown old, from one that was made up.
 */
export function readTokenKey(socketPath: string): Buffer {
  const path = join(dirname(socketPath), "watch-token.key");
  try {
    const key = readFileSync(path);
    if (key.length === KEY_BYTES) return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const key = randomBytes(KEY_BYTES);
  writeFileSync(path, key, { mode: 0o600 });
  return key;
}
