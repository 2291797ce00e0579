import { CliError } from "../cli-error.js";

/** What `-j map records` prints of a record. */
interface RecordLine {
  readonly event?: unknown;
  readonly data?: unknown;
}

/**
 * The records of a file, one a line: hexadecimal bytes ("0a 0b", "0a0b", "hex 0a 0b"), or
 * the JSON of `-j map records`. Empty lines and lines that begin with # are skipped. What
 * is wrong is told with its line.
 */
export async function* parseRecords(
  blocks: AsyncIterable<Buffer>,
): AsyncGenerator<Uint8Array, void> {
  let number = 0;
  for await (const line of linesOf(blocks)) {
    number++;
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    try {
      const record = text.startsWith("{") ? parseJson(text) : parseHex(text);
      if (record) yield record;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      throw new CliError(`line ${number}: ${error.message}`);
    }
  }
}

async function* linesOf(blocks: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const block of blocks) {
    const lines = (rest + block.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function parseHex(text: string): Uint8Array {
  const words = text.split(/[\s,]+/).map((word) => word.replace(/^0[xX]/, ""));
  const digits = (words[0] === "hex" ? words.slice(1) : words).map((word) => {
    if (/^[0-9a-fA-F]$/.test(word)) return `0${word}`;
    if (/^([0-9a-fA-F]{2})+$/.test(word)) return word;
    throw new CliError(`"${word}" is not hexadecimal bytes`);
  });
  return Buffer.from(digits.join(""), "hex");
}

/** A record; undefined for events that are none. */
function parseJson(text: string): Uint8Array | undefined {
  const { event, data } = jsonLine(text);
  if (event !== undefined && event !== "record") return undefined;
  if (!Array.isArray(data)) throw new CliError('there is no "data" array');
  return Uint8Array.from(data, (item: unknown) => {
    const isText = typeof item === "string" && item !== "";
    const byte = isText || typeof item === "number" ? Number(item) : Number.NaN;
    if (!Number.isInteger(byte) || byte < 0 || byte > 255) {
      throw new CliError(`${JSON.stringify(item)} in "data" is not a byte`);
    }
    return byte;
  });
}

function jsonLine(text: string): RecordLine {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(`no valid JSON: ${(error as Error).message}`);
  }
}
