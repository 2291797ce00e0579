import { CliError } from "../cli-error.js";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses a duration such as "500ms", "30s", "5m", "1h30m" or "7d"; a plain number is
 * seconds. Returns milliseconds, at least 1.
 */
export function parseDuration(text: string): number {
  if (/^\d+$/.test(text)) return positive(Number(text) * 1000, text);
  if (!/^(\d+(ms|[smhd]))+$/.test(text)) throw malformed(text);
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|[smhd])/g)) {
    total += Number(number) * UNIT_MS[unit!]!;
  }
  return positive(total, text);
}

/** The shortest text that {@link parseDuration} reads back, such as "1h30m". */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const size = UNIT_MS[unit]!;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text || "0s";
}

function positive(ms: number, text: string): number {
  if (ms < 1 || !Number.isSafeInteger(ms)) throw malformed(text);
  return ms;
}

function malformed(text: string): CliError {
  return new CliError(`"${text}" is not a duration: write it like 30s, 5m or 1h30m`);
}
