import { beforeEach, describe, expect, test, vi } from "vitest";
import { Story } from "./support/story.js";
import { validate } from "./support/validator.js";

/* The validator is what the random models trust: it must see every promise that a stream breaks. */

const [A, B, C] = ["aa", "bb", "cc"].map((byte) => byte.repeat(8)) as [string, string, string];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  return () => vi.useRealTimers();
});

function violationsOf(story: Story): string {
  return validate(story.recording, story.truths).violations.join("\n");
}

/** A stream of the newest values. */
function latest(): Story {
  const story = new Story({ fidelity: "latest", previousValues: true });
  story.write("01", A);
  story.create();
  story.snapshot({ "01": A });
  story.write("01", B);
  story.tell([{ key: "01", shown: B, previous: A }]);
  story.bookmark();
  story.write("02", C);
  story.tell([{ key: "02", shown: C }]);
  story.write("01", undefined);
  story.tell([{ key: "01", shown: undefined, previous: B }]);
  story.bookmark();
  story.bookmark();
  return story;
}

describe("a stream of the newest values", () => {
  test("that keeps its promises is found to", () => {
    const story = latest();
    expect(violationsOf(story)).toBe("");
    expect(validate(story.recording, story.truths)).toMatchObject({ events: 4, bookmarks: 4 });
  });

  test.each<[lie: string, tell: (story: Story) => void, found: RegExp]>([
    ["leaves out a put", (story) => story.drop(5), /contents at a bookmark: 02 = nothing/],
    ["leaves out a delete", (story) => story.drop(6), /contents at a bookmark: 01 = b+,/],
    ["leaves out an element of the snapshot", (story) => story.drop(1), /bookmark: 01 = nothing/],
    ["does not end its snapshot", (story) => story.drop(2), /live events while snapshot/],
    ["does not begin", (story) => story.drop(0), /events before created/],
    ["tells a put again", (story) => story.repeat(5), /put of 02 = c+ again/],
    ["tells a delete again", (story) => story.repeat(6), /delete of 01 again/],
    ["tells what was later first", (story) => story.swap(5, 6), /revision 3 after 4/],
    ["tells a change after its bookmark", (story) => story.swap(3, 4), /comes after its bookmark/],
    [
      "tells a value that was never there",
      (story) => story.show(5, A),
      /put: 02 = a+, but the map/,
    ],
    [
      "tells a value before it was there",
      (story) => story.shift(5, -60),
      /but the map held nothing/,
    ],
    ["tells a value from the future", (story) => story.shift(5, 60), /seen in the future/],
    ["tells another value before", (story) => story.show(3, B, C), /its previous is c+/],
    [
      "tells no value before",
      (story) => story.show(3, B, null),
      /previous value of 01 is not told/,
    ],
    ["tells a key that is not chosen", (story) => story.choose("01"), /02 is not chosen/],
    ["is silent for long", (story) => story.wait(8, 30_000), /no bookmark for/],
    ["says that a map is gone that is not", (story) => story.sayGone(), /the map is not gone/],
    [
      "starts over without a reason",
      (story) => story.sayResync(),
      /HISTORY_EXPIRED\) where nothing/,
    ],
  ])("that %s is caught", (_, tell, found) => {
    const story = latest();
    tell(story);
    expect(violationsOf(story)).toMatch(found);
  });

  test.each([
    ["does not tell that what it told last was undone", false, /bookmark: 03 = a+, but the map/],
    ["tells that what it told last was undone", true, /^$/],
  ])("that, where it is resumed, %s is found out", (_, isTold, found) => {
    const story = latest();
    story.write("03", A);
    story.tell([{ key: "03", shown: A }]);
    story.write("03", undefined);
    story.resume();
    if (isTold) story.tell([{ key: "03", shown: undefined }]);
    story.bookmark();
    expect(violationsOf(story)).toMatch(found);
  });

  test("that loses a change where it is resumed is caught", () => {
    const story = latest();
    story.resume();
    story.write("02", A);
    story.bookmark();
    expect(violationsOf(story)).toMatch(/contents at a bookmark: 02 = c+, but the map held a+/);
  });
});

/** A stream of every call. */
function everyCall(): Story {
  const story = new Story({ fidelity: "every call" });
  story.write("01", A);
  story.create();
  story.snapshot({ "01": A });
  story.write("01", B);
  story.tell([{ key: "01", shown: B, by: "syscall" }]);
  story.write("01", C, "program");
  story.tell([{ key: "01", shown: C, by: "program" }]);
  story.write("01", B);
  story.tell([{ key: "01", shown: B, by: "syscall" }]);
  story.write("01", undefined);
  story.tell([{ key: "01", shown: undefined, by: "syscall" }]);
  story.bookmark();
  return story;
}

describe("a stream of every call", () => {
  test("that keeps its promises is found to", () => {
    const story = everyCall();
    expect(violationsOf(story)).toBe("");
    expect(validate(story.recording, story.truths)).toMatchObject({ calls: 4 });
  });

  test.each<[lie: string, tell: (story: Story) => void, found: RegExp]>([
    ["leaves out a call", (story) => story.drop(4), /none that comes next/],
    ["leaves out the last call", (story) => story.drop(6), /syscall delete at .* is not told/],
    ["tells calls in another order", (story) => story.swapRows(3, 4), /none that comes next/],
    ["tells a call again", (story) => story.repeat(5), /none that comes next/],
    ["tells a delete again", (story) => story.repeat(6), /none that comes next/],
    [
      "takes a program for a system call",
      (story) => story.say(4, "syscall"),
      /none that comes next/,
    ],
    [
      "tells who wrote a key that nobody did",
      (story) => story.rename(3, "02"),
      /calls on 02: .* none that comes next/,
    ],
  ])("that %s is caught", (_, tell, found) => {
    const story = everyCall();
    tell(story);
    expect(violationsOf(story)).toMatch(found);
  });

  test("that tells a call from before its snapshot is caught", () => {
    const story = new Story({ fidelity: "every call" });
    story.write("01", A);
    story.pass(100);
    story.create();
    story.snapshot({ "01": A });
    story.tell([{ key: "01", shown: A, by: "syscall" }]);
    story.bookmark();
    expect(violationsOf(story)).toMatch(/none that comes next/);
  });

  test("that tells a call again where it is resumed is caught", () => {
    const story = everyCall();
    story.pass(100);
    story.bookmark();
    story.resume();
    story.tell([{ key: "01", shown: undefined, by: "syscall" }]);
    story.bookmark();
    expect(violationsOf(story)).toMatch(/none that comes next/);
  });

  test("that misses a call where it is resumed is caught", () => {
    const story = everyCall();
    story.pass(100);
    story.bookmark();
    story.resume();
    story.write("01", A);
    story.write("01", B);
    story.tell([{ key: "01", shown: B, by: "syscall" }]);
    story.bookmark();
    expect(violationsOf(story)).toMatch(/none that comes next/);
  });
});

test("a stream of updates only that leaves out a call before its first bookmark is caught", () => {
  const story = new Story({ fidelity: "every call", updatesOnly: true });
  story.create();
  story.write("01", A);
  story.write("01", B);
  story.tell([{ key: "01", shown: B, by: "syscall" }]);
  story.bookmark();
  expect(violationsOf(story)).toMatch(/none that comes next/);
});

/** A stream of every call that shows the second of two slots. */
function ofOneCpu(): Story {
  const story = new Story({ fidelity: "every call", perCpu: true, slot: 1 });
  story.create();
  story.snapshot({});
  story.write("01", A + A);
  story.tell([{ key: "01", shown: A, by: "syscall" }]);
  story.write("01", B + A);
  story.write("01", B + B);
  story.tell([{ key: "01", shown: B, by: "syscall" }]);
  story.write("01", B + A);
  story.tell([{ key: "01", shown: A, by: "syscall" }]);
  story.bookmark();
  return story;
}

describe("a stream of every call that shows a part of the value", () => {
  test("does not tell what does not show", () => {
    expect(violationsOf(ofOneCpu())).toBe("");
  });

  test.each([
    ["the first", 2],
    ["one in the middle", 3],
    ["the last", 4],
  ])("that leaves out %s call that shows is caught", (_, number) => {
    const story = ofOneCpu();
    story.drop(number);
    expect(violationsOf(story)).toMatch(/none that comes next|is not told/);
  });

  test("need not tell a call that a look has told", () => {
    const story = new Story({ fidelity: "every call", perCpu: true, slot: 1 });
    story.create();
    story.snapshot({});
    story.write("01", A + A, "none");
    story.write("01", B + B);
    story.tell([{ key: "01", shown: B }]);
    story.bookmark();
    expect(violationsOf(story)).toBe("");
  });

  /** A look tells a call, then a write in place, then the stream tells another call. */
  function looked(told: boolean): Story {
    const story = new Story({ fidelity: "every call", perCpu: true, slot: 1 });
    story.create();
    story.snapshot({});
    story.write("01", A + A);
    if (told) story.tell([{ key: "01", shown: A }]);
    story.write("01", A + B, "none");
    story.tell([{ key: "01", shown: B }]);
    story.write("01", C + C);
    story.tell([{ key: "01", shown: C, by: "syscall" }]);
    story.bookmark();
    return story;
  }

  test("need not tell it after a write that followed, either", () => {
    expect(violationsOf(looked(true))).toBe("");
  });

  test("must have told it by then", () => {
    expect(violationsOf(looked(false))).toMatch(/none that comes next/);
  });
});

/** A stream of every call on a map that evicts: an element is put, evicted and put again. */
function evicting(): Story {
  const story = new Story({ fidelity: "every call", evicts: true });
  story.create();
  story.snapshot({});
  story.write("01", A);
  story.tell([{ key: "01", shown: A, by: "syscall" }]);
  story.tell([{ key: "01", shown: undefined, by: "program" }]);
  story.write("01", B);
  story.tell([{ key: "01", shown: B, by: "syscall" }]);
  story.bookmark();
  return story;
}

describe("a stream of every call on a map that evicts", () => {
  test("tells evictions too", () => {
    expect(violationsOf(evicting())).toBe("");
  });

  test("that tells an eviction again is caught", () => {
    const story = evicting();
    story.tell([{ key: "01", shown: undefined, by: "program" }]);
    story.repeat(6);
    expect(violationsOf(story)).toMatch(/none that comes next/);
  });

  test("that tells a put again after an eviction is caught", () => {
    const story = evicting();
    story.tell([{ key: "01", shown: B, by: "syscall" }]);
    expect(violationsOf(story)).toMatch(/none that comes next/);
  });
});
