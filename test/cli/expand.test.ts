import { expect, it } from "vitest";
import { expandWords } from "#dist/cli/expand.js";
import { Output } from "#dist/cli/output.js";
import { buildProgram } from "#dist/cli/program.js";

const { command } = buildProgram({
  out: new Output(process.stdout),
  isTerminal: false,
  stdin: process.stdin,
  stderr: process.stderr,
  env: {},
  signal: new AbortController().signal,
});

// The second column was taken from bpftool 7.1 (the order of the table in its map.c).
it.each([
  ["m s", "map show"],
  ["map sh", "map show"],
  ["map l", "map list"],
  ["map lo", "map lookup"],
  ["map d", "map dump"],
  ["map de", "map delete"],
  ["map deq", "map dequeue"],
  ["map p", "map pin"],
  ["map pe", "map peek"],
  ["map pu", "map push"],
  ["map po", "map pop"],
  ["map e", "map event_pipe"],
  ["map en", "map enqueue"],
  ["map f", "map freeze"],
  ["map u", "map update"],
  ["map g", "map getnext"],
  ["map c", "map create"],
  ["map h", "map help"],
  ["map", "map show"],
  ["-j map", "-j map show"],
  ["feature", "feature probe"],
  ["f p k", "feature probe k"],
])("%s means %s, as in bpftool", (given, meant) => {
  expect(expandWords(command, given.split(" ")).join(" ")).toBe(meant);
});

it.each([
  ["map loa x", "map load x"],
  ["map cl x", "map clear x"],
  ["map co x", "map count x"],
  ["map ho x", "map hold x"],
  ["map r x", "map release x"],
  ["map un x", "map unpin x"],
  ["map ex x", "map export x"],
  ["map im x", "map import x"],
])("%s means %s: our verbs come after bpftool's", (given, meant) => {
  expect(expandWords(command, given.split(" ")).join(" ")).toBe(meant);
});

it.each([
  ["--address unix:/x map d id 5", "--address unix:/x map dump id 5"],
  ["--address=unix:/x map d id 5", "--address=unix:/x map dump id 5"],
  ["-jt 5s m -p d id 5", "-jt 5s map -p dump id 5"],
  ["map show id 5", "map show id 5"],
  ["map zork d", "map zork d"],
  ["zork d", "zork d"],
  ["map -h", "map -h"],
  ["host", "host"],
])("%s: options do not stand in the way", (given, meant) => {
  expect(expandWords(command, given.split(" ")).join(" ")).toBe(meant);
});
