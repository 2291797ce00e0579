import { readFileSync } from "node:fs";
import { ErrorReason } from "@bpfmapd/client/proto";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { MapError, type MapErrorReason } from "#dist/maps/index.js";
import { errorStatus } from "#dist/rpc/error-status.js";
import { statusOfReason } from "#dist/rpc/status.js";
import { decodeFailure } from "./support/failure.js";

const reasons = Object.keys(statusOfReason) as MapErrorReason[];

/** What the contract says of each reason: the comment "// STATUS: text" above its value. */
function contractRows(): [reason: string, code: string][] {
  const file = new URL("../../proto/bpfmap/v1/error.proto", import.meta.url);
  const rows: [string, string][] = [];
  let code = "";
  for (const line of readFileSync(file, "utf8").split("\n")) {
    code = /^ {2}\/\/ ([A-Z_]+): /.exec(line)?.[1] ?? code;
    const reason = /^ {2}ERROR_REASON_([A-Z_]+) = [1-9]/.exec(line)?.[1];
    if (reason !== undefined) rows.push([reason, code]);
  }
  return rows;
}

describe("the table of reasons", () => {
  test.each(contractRows())("gives %s the status that the contract says, %s", (reason, code) => {
    expect(status[statusOfReason[reason as MapErrorReason]]).toBe(code);
  });

  test("has all reasons of the contract and no others", () => {
    const contract = Object.keys(ErrorReason).filter(
      (name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED",
    );
    expect([...reasons].sort()).toEqual(contract.sort());
    expect(
      contractRows()
        .map(([reason]) => reason)
        .sort(),
    ).toEqual(contract);
  });
});

describe("an error's status", () => {
  test.each(reasons)("carries reason %s in its details", (reason) => {
    const sent = errorStatus(new MapError(reason, "what happened", { metadata: { map: "7" } }));
    expect(decodeFailure(sent)).toMatchObject({
      code: statusOfReason[reason],
      message: "what happened",
      info: { reason, domain: "bpfmapd", metadata: { map: "7" } },
    });
  });

  test("stays small enough for trailers, and says what it left out", () => {
    const long = "x".repeat(100_000);
    const sent = errorStatus(
      new MapError("MAP_INCOMPATIBLE", long, {
        metadata: { ids: long },
        violations: Array.from({ length: 500 }, (_, index) => ({
          field: `spec.field_${index}`,
          description: long,
        })),
      }),
    );
    const { message, info, badRequest } = decodeFailure(sent);
    expect(message).toMatch(/x \(99400 more characters\)$/);
    expect(info?.metadata.ids).toMatch(/x \(99400 more characters\)$/);
    expect(badRequest?.fieldViolations.at(-1)?.description).toBe("492 more, not listed");
    const [bytes] = sent.metadata.get("grpc-status-details-bin") as [Buffer];
    // 8 KiB is the strictest limit of peers that is known.
    const trailers = encodeURI(sent.details).length + bytes.toString("base64").length;
    expect(trailers).toBeLessThan(7 * 1024);
  });

  test("has no half characters, which would end the process in encodeURI", () => {
    const { details } = errorStatus(new MapError("MAP_NOT_FOUND", `a\ud83d${"x".repeat(2000)}`));
    expect(() => encodeURI(details)).not.toThrow();
    const cut = errorStatus(new MapError("MAP_NOT_FOUND", `${"x".repeat(599)}\u{1f40d}`));
    expect(() => encodeURI(cut.details)).not.toThrow();
  });
});
