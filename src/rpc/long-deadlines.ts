import type { Http2Server, IncomingHttpHeaders } from "node:http2";
import type { DescService } from "@bufbuild/protobuf";

const TIMEOUT_HEADER = "grpc-timeout";
const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ...{ H: 3_600_000, M: 60_000, S: 1000, m: 1 },
  ...{ u: 1e-3, n: 1e-6 },
};

// The largest whole number of seconds that setTimeout takes in milliseconds, 24.8 days.
const LONGEST_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

/**
 * Shortens deadlines: those of unary calls, also of ones that have none, to the longest that
 * they may take; and those that grpc-js cannot count, as past int32 milliseconds it
 * overflows and ends the call at once with DEADLINE_EXCEEDED. Such calls then have 24 days,
 * which outlive any connection. Must listen before grpc-js does.
 */
export function shortenDeadlines(
  http2Server: Http2Server,
  services: readonly DescService[],
  longestUnaryMs: number,
): void {
  const unary = new Set(services.flatMap(unaryPaths));
  http2Server.on("stream", (_stream, headers) => {
    const isUnary = unary.has(headers[":path"] ?? "");
    shortenTimeout(headers, isUnary ? longestUnaryMs : undefined);
  });
}

function unaryPaths({ typeName, methods }: DescService): string[] {
  const unary = methods.filter(({ methodKind }) => methodKind === "unary");
  return unary.map(({ name }) => `/${typeName}/${name}`);
}

/**
 * Rewrites the timeout of a request's headers where it is too long, or missing though there
 * is a longest. What is no timeout is left to grpc-js.
 */
export function shortenTimeout(headers: IncomingHttpHeaders, longestMs?: number): void {
  const timeout = headers[TIMEOUT_HEADER];
  const most = longestMs ?? LONGEST_SECONDS * 1000;
  if (timeout === undefined) {
    if (longestMs !== undefined) headers[TIMEOUT_HEADER] = inMilliseconds(longestMs);
    return;
  }
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(timeout));
  if (match === null) return;
  const [, amount, unit] = match as unknown as [string, string, string];
  if (Number(amount) * (MS_PER_UNIT[unit] ?? 0) > most) {
    headers[TIMEOUT_HEADER] = longestMs ? inMilliseconds(longestMs) : `${LONGEST_SECONDS}S`;
  }
}

/** At most eight digits, as gRPC has them: a day and more. */
function inMilliseconds(ms: number): string {
  return `${ms}m`;
}
