/*
 * Runs a pinned program again and again until its input ends: node run-program.mjs PIN.
 * Says "running" after the first round.
 */
import { objGet, programTestRun } from "#dist/kernel/index.js";

const fd = objGet(process.argv[2]);
let ended = false;
process.stdin.on("end", () => {
  ended = true;
});
process.stdin.resume();
for (let round = 0; !ended; round++) {
  programTestRun(fd, { data: new Uint8Array(14), repeat: 500 });
  if (round === 0) console.log("running");
  await new Promise(setImmediate);
}
