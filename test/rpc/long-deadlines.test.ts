import { expect, test } from "vitest";
import { shortenTimeout } from "#dist/rpc/long-deadlines.js";

/** What grpc-js makes of a timeout: see handleTimeoutHeader in its server-interceptors. */
function overflows(timeout: string): boolean {
  const [, amount, unit] = /^(\d+)([HMSmun])$/.exec(timeout) as unknown as [string, string, string];
  const ms = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 }[unit] as number;
  return (Number(amount) * ms) | 0 ? Number(amount) * ms >= 2 ** 31 : false;
}

test.each(["99999999H", "597H", "35792M", "2147484S", "99999999S", "99999999M"])(
  "shortens %s, which grpc-js cannot count",
  (timeout) => {
    const headers = { "grpc-timeout": timeout };
    shortenTimeout(headers);
    expect(headers["grpc-timeout"]).toBe("2147483S");
    expect(overflows(headers["grpc-timeout"])).toBe(false);
  },
);

test.each(["596H", "35791M", "2147483S", "99999999m", "99999999u", "1n", "0S"])(
  "leaves %s as it is",
  (timeout) => {
    const headers = { "grpc-timeout": timeout };
    shortenTimeout(headers);
    expect(headers["grpc-timeout"]).toBe(timeout);
  },
);

test("leaves what is no timeout to grpc-js", () => {
  for (const headers of [{}, { "grpc-timeout": "soon" }, { "grpc-timeout": "999999999H" }]) {
    const given = structuredClone(headers);
    shortenTimeout(headers);
    expect(headers).toEqual(given);
  }
});

test.each([
  [undefined, "5000m"],
  ["1H", "5000m"],
  ["6S", "5000m"],
  ["5001m", "5000m"],
  ["5S", "5S"],
  ["99999999n", "99999999n"],
  ["soon", "soon"],
])("of a call that may take 5 seconds, makes %s to %s", (timeout, shortened) => {
  const headers = timeout === undefined ? {} : { "grpc-timeout": timeout };
  shortenTimeout(headers, 5000);
  expect(headers).toEqual({ "grpc-timeout": shortened });
});
