import type { OutgoingHttpHeaders } from "node:http2";
import type { Dice } from "./dice.js";

const TIMEOUTS = ["", "1", "S", "-1S", "1x", "0n", "1n", "0S", "99999999H", "999999999S", "1 S"];
const TYPES = [
  ...["", "text/plain", "application/json", "application/grpc+json", "application/grpc+proto"],
  ...["application/grpc-web", "application/grpc;charset=utf-8", "APPLICATION/GRPC", "application"],
];

/** Headers of a call such as no good client sends. */
export function strangeHeaders(dice: Dice): OutgoingHttpHeaders {
  const text = () => dice.pick(["", " ", "\t", "a".repeat(4000), "\xff\xfe", "%00", "; DROP"]);
  switch (dice.number(11)) {
    case 0:
      return { "grpc-timeout": dice.pick(TIMEOUTS) };
    case 1:
      return { "content-type": dice.pick(TYPES) };
    case 2:
      return { te: undefined };
    case 3:
      return { ":method": dice.pick(["GET", "PUT", "OPTIONS", "HEAD", "BREW"]) };
    case 4:
      return { "grpc-encoding": dice.pick(["gzip", "br", "", "identity,gzip"]) };
    case 5:
      return { "grpc-accept-encoding": text(), "grpc-message-type": text() };
    case 6:
      return { "x-fuzz-bin": dice.pick(["!!!", "====", "AAA", "a".repeat(3999), ","]) };
    case 7:
      return { authorization: dice.pick(["Bearer", "Bearer x", "Basic !", "bearer a.b.c", ""]) };
    case 8:
      return { traceparent: dice.pick(["00-0-0-00", "ff", text()]), "x-request-id": text() };
    case 9:
      return { ":authority": text().trim(), "content-length": String(dice.number(2)) };
    default:
      return Object.fromEntries(
        Array.from({ length: dice.pick([50, 110]) }, (_, index) => [`x-fuzz-${index}`, "v"]),
      );
  }
}
