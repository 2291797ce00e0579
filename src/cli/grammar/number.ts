import { CliError } from "../cli-error.js";

/**
 * Parses a number as strtoul(3) with base 0 does: decimal, 0x hexadecimal or
 * 0 octal. Undefined for anything else, signs and spaces included.
 */
export function parseUnsigned(word: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(word)) return Number.parseInt(word.slice(2), 16);
  if (/^0[0-7]*$/.test(word)) return Number.parseInt(word, 8);
  return /^[1-9][0-9]*$/.test(word) ? Number(word) : undefined;
}

/** Parses a number that must fit into 32 bits; `what` names it in the error. */
export function parseU32(word: string, what: string): number {
  const value = parseUnsigned(word);
  if (value === undefined) throw new CliError(`can't parse ${what}: "${word}" is not a number`);
  if (value > 0xffff_ffff) throw new CliError(`can't parse ${what}: ${word} is above 4294967295`);
  return value;
}

/** Parses a number that must fit into 64 bits; `what` names it in the error. */
export function parseU64(word: string, what: string): bigint {
  if (parseUnsigned(word) === undefined) {
    throw new CliError(`can't parse ${what}: "${word}" is not a number`);
  }
  const octal = /^0[0-7]+$/.test(word);
  const value = BigInt(octal ? `0o${word.slice(1)}` : word);
  if (value > 0xffff_ffff_ffff_ffffn) {
    throw new CliError(`can't parse ${what}: ${word} is above 64 bits`);
  }
  return value;
}
