import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { CliError, messageOf } from "../cli-error.js";
import { type Chunk, ChunkBuilder } from "./chunk-builder.js";
import { DumpParser } from "./dump-parser.js";
import type { ElementParser } from "./element-parser.js";
import type { ElementTarget } from "./element-target.js";

/** Runs work on an open file, and says in its errors which file it was. */
export async function withFile<T>(
  path: string,
  work: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw new CliError(`cannot read ${path}: ${messageOf(error)}`);
  });
  try {
    return await work(file);
  } catch (error) {
    throw error instanceof CliError ? new CliError(`${path}: ${error.message}`) : error;
  } finally {
    await file.close();
  }
}

/** The blocks of a file, or of standard input for "-". `onBytes` is told of each. */
export async function* readBlocks(
  path: string,
  stdin: Readable,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer, void> {
  const stream = path === "-" ? stdin : createReadStream(path, { highWaterMark: 1 << 18 });
  try {
    for await (const block of stream as AsyncIterable<Buffer>) {
      onBytes(block.length);
      yield block;
    }
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/**
 * The elements in text or JSON, in chunks. Text that begins with "[" is JSON. Errors
 * say where in the file they are.
 */
export async function* parseElements(
  blocks: AsyncIterable<Buffer>,
  target: ElementTarget,
): AsyncGenerator<Chunk, void> {
  const builder = new ChunkBuilder(target);
  let parser: ElementParser | undefined;
  for await (const block of blocks) {
    if (parser === undefined) {
      const start = block.toString("latin1").trimStart();
      if (start === "") continue;
      parser = new DumpParser(builder, target, start.startsWith("["));
    }
    parser.push(block);
    yield* builder.takeFull();
  }
  parser?.end();
  yield* builder.takeRest();
}
