import { compileGlob, compilePathGlob } from "../../maps/index.js";
import type { Principal } from "../identity/principal.js";
import type { ProofDocument } from "./policy-schema.js";

type Test = (who: Principal) => boolean;

/** Whether a caller is the one that an identity's entry describes. */
export function identityMatcher({ san, uid, gid, claims }: ProofDocument): Test {
  const tests: Test[] = [];
  if (san) {
    const globs = san.map(compilePathGlob);
    tests.push(({ sans }) => sans.some((name) => globs.some((isMatch) => isMatch(name))));
  }
  if (uid) tests.push(({ unix }) => unix !== undefined && isWithin(unix.uid, uid));
  if (gid) tests.push(({ unix }) => unix?.gids.some((one) => isWithin(one, gid)) ?? false);
  for (const [claim, patterns] of Object.entries(claims ?? {})) {
    tests.push(claimTest(claim, patterns.map(compileGlob)));
  }
  return (who) => tests.every((test) => test(who));
}

function isWithin(id: number, ranges: readonly (readonly [number, number])[]): boolean {
  return ranges.some(([from, to]) => from <= id && id <= to);
}

/** Claims may be lists, as `groups` is, and lie in objects: `realm.roles`. */
function claimTest(claim: string, globs: readonly ((text: string) => boolean)[]): Test {
  return ({ claims }) => {
    const value = claims && claimAt(claims, claim);
    const values = Array.isArray(value) ? value : [value];
    return values.some((one) => isText(one) && globs.some((isMatch) => isMatch(String(one))));
  };
}

/** A claim whose own name has dots, such as a URL, goes before one inside an object. */
function claimAt(claims: object, path: string): unknown {
  if (Object.hasOwn(claims, path)) return (claims as Record<string, unknown>)[path];
  return path.split(".").reduce<unknown>((value, key) => {
    const isObject = typeof value === "object" && value !== null && Object.hasOwn(value, key);
    return isObject ? (value as Record<string, unknown>)[key] : undefined;
  }, claims);
}

function isText(value: unknown): boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}
