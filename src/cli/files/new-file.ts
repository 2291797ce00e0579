import { type FileHandle, link, open, rename, rm } from "node:fs/promises";
import { CliError, messageOf } from "../cli-error.js";

/**
 * Writes a file that stands under its name only once it is whole: until then it is
 * beside it, and where writing fails nothing is left. An existing file is replaced
 * only with `force`.
 */
export async function writeNewFile(
  path: string,
  force: boolean,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  const file = await open(partial, "wx", 0o600).catch((error: unknown) => {
    throw new CliError(`cannot write ${path}: ${messageOf(error)}`);
  });
  try {
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    // A link fails where the name is taken, in one step; a rename would replace it.
    if (force) await rename(partial, path);
    else await link(partial, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new CliError(`${path} exists; --force replaces it`);
    }
    throw error;
  } finally {
    await rm(partial, { force: true });
  }
}
