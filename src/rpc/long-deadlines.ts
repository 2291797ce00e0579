import type { Http2Server, IncomingHttpHeaders } from "node:http2";

const TIMEOUT_HEADER = "grpc-timeout";
const MS_PER_UNIT: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

// The largest whole number of seconds that setTimeout takes in milliseconds, 24.8 days.
const LONGEST_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

/**
 * Shortens deadlines that grpc-js cannot count: past int32 milliseconds it overflows and
 * ends the call at once with DEADLINE_EXCEEDED. Calls then have 24 days, which outlive
 * any connection. Must listen before grpc-js does.
 */
export function shortenDeadlines(http2Server: Http2Server): void {
  http2Server.on("stream", (_stream, headers) => shortenTimeout(headers));
}

/** Rewrites the timeout of a request's headers where it is too long. */
export function shortenTimeout(headers: IncomingHttpHeaders): void {
  const match = /^(\d{1,8})([HMS])$/.exec(String(headers[TIMEOUT_HEADER] ?? ""));
  if (match === null) return;
  const [, amount, unit] = match as unknown as [string, string, string];
  const ms = Number(amount) * (MS_PER_UNIT[unit] ?? 0);
  if (ms > LONGEST_SECONDS * 1000) headers[TIMEOUT_HEADER] = `${LONGEST_SECONDS}S`;
}
