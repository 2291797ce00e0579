import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileGlob } from "#dist/maps/name-glob.js";

describe("a pattern", () => {
  it.each([
    ["stats", ["stats"], ["stat", "statsx", "Stats", ""]],
    ["*", ["", "a", "a.b"], []],
    ["?*", ["a", "ab"], [""]],
    ["a*c", ["ac", "abc", "acc", "abcbc"], ["ab", "bac", "acb"]],
    ["cilium_*", ["cilium_", "cilium_ct4"], ["cilium"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "x", "aax"]],
    ["[!a-c_]x", ["dx", ".x"], ["ax", "_x", "x"]],
    ["[^a]", ["b"], ["a", ""]],
    ["[]a]", ["]", "a"], ["[", "]a"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["{a,b*}c", ["ac", "bc", "bxc"], ["c", "abc"]],
    ["x{,y{1,2}}", ["x", "xy1", "xy2"], ["xy", "x1"]],
    ["{[,}],b}", [",", "}", "b"], ["[", "{"]],
    ["\\*\\?", ["*?"], ["ab", "\\*"]],
    ["[", ["["], [""]],
    ["{a", ["{a"], ["a"]],
    ["{a{b,c}", ["{ab", "{ac"], ["ab"]],
    ["a}", ["a}"], ["a"]],
    ["a,b", ["a,b"], ["a", "b"]],
    ["+(a)", ["+(a)"], ["a"]],
    ["\\", ["\\"], [""]],
  ])("%s", (glob, matches, others) => {
    const isMatch = compileGlob(glob);
    expect(matches.filter((name) => !isMatch(name))).toEqual([]);
    expect(others.filter(isMatch)).toEqual([]);
  });

  it("of stars and letters matches as the regular expression does", () => {
    const short = (chars: string) => fc.string({ unit: fc.constantFrom(...chars), maxLength: 6 });
    fc.assert(
      fc.property(short("ab*?"), short("ab"), (glob, name) => {
        const pattern = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(compileGlob(glob)(name)).toBe(pattern.test(name));
      }),
    );
  });

  it.each(["*a", "{a*,*a}", "*(a)", "{", "{{a,b},", "[", "[a", "{*"])(
    "that repeats %s takes no longer than it has characters",
    (piece) => {
      // With backtracking this would not end before the test is ended.
      const isMatch = compileGlob(`${piece.repeat(Math.floor(250 / piece.length))}c`);
      expect(isMatch("aaaaaaaaaaaaaab")).toBe(false);
    },
  );
});
