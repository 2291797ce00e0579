import { describe, expect, it } from "vitest";
import { namesOf } from "#dist/access/identity/subject-alt-names.js";
import { DEFAULT_LIMITS, type Principal, readPolicy } from "#dist/access/index.js";
import type { MapFacts } from "#dist/access/policy/map-facts.js";
import { MapType } from "#dist/maps/index.js";

const nobody: Principal = { name: "nobody", peer: "here", sans: [] };
const map: MapFacts = { name: "stats", type: MapType.HASH, holds: [], pins: [] };

/** Whether the identity `it` of a policy gives `read` on a map to a caller. */
function gives(proof: string, maps: string, who: Principal, of = map, labels = "[]"): boolean {
  const policy = readPolicy(`
version: 1
labels: ${labels}
identities: {it: [${proof}]}
rules: [{identities: [it], verbs: [read], maps: ${maps}}]
`);
  return policy.grantsOf(who).ruleThatGives("read", of) !== undefined;
}

describe("an identity of the policy", () => {
  const unix = (uid: number, ...gids: number[]) => ({ ...nobody, unix: { uid, gids, pid: 1 } });
  const claims = (given: Record<string, unknown>) => ({ ...nobody, claims: given });
  const san = (...sans: string[]) => ({ ...nobody, sans });

  it.each<[string, Principal, boolean]>([
    ["{uid: [0]}", unix(0, 0), true],
    ["{uid: [0]}", unix(1, 0), false],
    ["{uid: [5, 1000-1999]}", unix(1500), true],
    ["{uid: [5, 1000-1999]}", unix(2000), false],
    ["{gid: [7]}", unix(1, 3, 7), true],
    ["{gid: [7]}", unix(7, 3), false],
    ["{uid: [0]}", san("0"), false],
    ['{san: ["spiffe://a.org/*"]}', san("spiffe://a.org/x"), true],
    ['{san: ["spiffe://a.org/*"]}', san("spiffe://a.org/x/y"), false],
    ['{san: ["spiffe://a.org/**"]}', san("spiffe://a.org/x/y"), true],
    ['{san: ["*.a.org"]}', san("other", "x.a.org"), true],
    ['{san: ["*.a.org"]}', san("spiffe://x.a.org"), false],
    ['{san: ["x"], uid: [0]}', { ...unix(0), sans: ["x"] }, true],
    ['{san: ["x"], uid: [0]}', unix(0), false],
    ["{claims: {sub: a*}}", claims({ sub: "abc" }), true],
    ["{claims: {sub: a*}}", claims({ sub: ["b", "ab"] }), true],
    ["{claims: {sub: a*}}", claims({ sub: { a: 1 } }), false],
    ["{claims: {sub: '*'}}", claims({}), false],
    ["{claims: {sub: '*'}}", unix(0), false],
    ["{claims: {realm.roles: [x, y]}}", claims({ realm: { roles: ["y"] } }), true],
    ["{claims: {https://a/b: x}}", claims({ "https://a/b": "x" }), true],
    ["{claims: {n: '1'}}", claims({ n: 1 }), true],
    ["{claims: {constructor.name: '*'}}", claims({ sub: "x" }), false],
  ])("%s is, or is not, %j", (proof, who, expected) => {
    expect(gives(proof, "all", who)).toBe(expected);
  });
});

describe("a rule's maps", () => {
  const root = { ...nobody, unix: { uid: 0, gids: [0], pid: 1 } };
  const labels = "[{folder: /sys/fs/bpf/a, labels: {team: a}}]";

  it.each<[string, Partial<MapFacts>, boolean]>([
    ["all", {}, true],
    ["{names: ['st*']}", {}, true],
    ["{names: ['st*', x]}", { name: "other" }, false],
    ["{types: [hash, array]}", {}, true],
    ["{types: [ARRAY]}", {}, false],
    ["{names: [stats], types: [array]}", {}, false],
    ["{holds: ['h*']}", { holds: ["x", "hold"] }, true],
    ["{holds: ['h*']}", {}, false],
    ["{pins: ['/sys/fs/bpf/a/*']}", { pins: ["/sys/fs/bpf/b", "/sys/fs/bpf/a/x"] }, true],
    ["{pins: ['/sys/fs/bpf/a/*']}", { pins: ["/sys/fs/bpf/a/x/y"] }, false],
    ["{pins: ['/sys/fs/bpf/a/**']}", { pins: ["/sys/fs/bpf/a/x/y"] }, true],
    ["{labels: {team: a}}", { pins: ["/sys/fs/bpf/a/x/y"] }, true],
    ["{labels: {team: a}}", { pins: ["/sys/fs/bpf/ab"] }, false],
    ["{labels: {team: b}}", { pins: ["/sys/fs/bpf/a/x"] }, false],
  ])("%s choose, or do not, a map with %j", (maps, more, expected) => {
    expect(gives("{uid: [0]}", maps, root, { ...map, ...more }, labels)).toBe(expected);
  });
});

describe("a policy file", () => {
  it.each([
    ["", "the file"],
    ["version: 2", "version must be 1"],
    ["version: 1\nruels: []", "ruels: there is no such key"],
    ["version: 1\nidentities: {a: []}", "identities.a must have at least one entry"],
    ["version: 1\nidentities: {a: [{}]}", "must have at least one of san, uid, gid and claims"],
    ["version: 1\nidentities: {a: [{uid: [-1]}]}", "must be a number, or a range"],
    ["version: 1\nidentities: {a: [{uid: [9-1]}]}", "must be a number, or a range"],
    [
      "version: 1\nrules: [{identities: [b], verbs: all, maps: all}]",
      '"b" is none of the identities',
    ],
    [
      "version: 1\nidentities: {a: [{uid: [0]}]}\nrules: [{identities: [a], verbs: [fly], maps: all}]",
      "rules[0].verbs",
    ],
    [
      "version: 1\nidentities: {a: [{uid: [0]}]}\nrules: [{identities: [a], verbs: all, maps: {}}]",
      'for every map say "all"',
    ],
    [
      "version: 1\nidentities: {a: [{uid: [0]}]}\nrules: [{identities: [a], verbs: all, maps: {types: [hsh]}}]",
      '"hsh" is no map type',
    ],
    ["version: 1\nlimits: {b: {calls: 1}}", '"b" is none of the identities'],
    ["version: 1\nlimits: {default: {cals: 1}}", "limits.default.cals: there is no such key"],
    ["version: 1\nlimits: {default: {calls: 0}}", "must be a whole number from 1"],
    ["version: 1\nlimits: {default: {streams: 1.5}}", "limits.default.streams must be a whole"],
    ["version: 1\nlimits: {default: {streams: true}}", "limits.default.streams must be a whole"],
    ["version: 1\nlimits: {default: {watched_bytes: 1TB}}", "such as 16MiB, or none, not"],
    ["version: 1\nidentities: {default: [{uid: [0]}]}", "cannot be an identity's name"],
  ])("%j is refused", (text, message) => {
    expect(() => readPolicy(text)).toThrow(message);
  });

  it("without rules gives nothing, and trusts the unix socket only where it says so", () => {
    const root = { ...nobody, unix: { uid: 0, gids: [0], pid: 1 } };
    expect(readPolicy("version: 1").grantsOf(root).rulesFor("list")).toEqual([]);
    const trusting = readPolicy("version: 1\nunix_socket: trusted");
    expect(trusting.grantsOf(root).ruleThatGives("admin", map)).toBe("unix_socket: trusted");
    expect(trusting.grantsOf(nobody).rulesFor("list")).toEqual([]);
  });
});

describe("limits of a policy", () => {
  const limitsOf = (text: string, ...gids: number[]) =>
    readPolicy(`
version: 1
identities: {a: [{gid: [1]}], b: [{gid: [2]}], c: [{gid: [3]}]}
${text}`).grantsOf({ ...nobody, unix: { uid: 5, gids, pid: 1 } }).limits;

  it("are the defaults where it sets none", () => {
    expect(limitsOf("", 1)).toEqual(DEFAULT_LIMITS);
    expect(limitsOf("unix_socket: trusted", 1)).toEqual(DEFAULT_LIMITS);
  });

  it("are those of the identity, then of the default, then the daemon's", () => {
    const text = "limits: {default: {calls: 7, streams: 8}, a: {calls: 9, bytes_in_flight: 2KiB}}";
    const given = { calls: 9, streams: 8, bytes_in_flight: 2048 };
    expect(limitsOf(text, 1)).toEqual({ ...DEFAULT_LIMITS, ...given });
    expect(limitsOf(text, 3)).toEqual({ ...DEFAULT_LIMITS, calls: 7, streams: 8 });
    const trusted = limitsOf(`unix_socket: trusted\n${text}`, 1);
    expect(trusted).toEqual({ ...DEFAULT_LIMITS, ...given });
  });

  it("are the highest of what several identities set", () => {
    const text =
      "limits: {default: {calls: 99}, a: {calls: 7, scans: 2}, b: {calls: 9, watches: none}}";
    const given = { calls: 9, scans: 2, watches: Number.POSITIVE_INFINITY };
    expect(limitsOf(text, 1, 2, 3)).toEqual({ ...DEFAULT_LIMITS, ...given });
  });
});

describe("names of a certificate", () => {
  it.each([
    [undefined, []],
    ["DNS:a.org, URI:spiffe://b/c, IP Address:127.0.0.1", ["a.org", "spiffe://b/c"]],
    ['DNS:"a.org, URI:spiffe://forged", DNS:b', ["a.org, URI:spiffe://forged", "b"]],
    ['URI:"a\\u002c b"', ["a, b"]],
    ["email:a@b, DNS:c", ["c"]],
    ["what is this", []],
  ])("are read out of %j", (text, names) => {
    expect(namesOf(text)).toEqual(names);
  });
});
