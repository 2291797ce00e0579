// A thread whose jobs do what the tests of the pool need; each is told what to count in.
import { serveJobs } from "#dist/maps/threads/serve-jobs.js";

serveJobs({
  /** Sends numbers up to `most`, and counts what it has sent. */
  async numbers({ most, sent }, context) {
    for (let number = 0; number < most; number++) {
      await context.send(number, []);
      if (sent) Atomics.add(sent, 0, 1);
      await context.turn();
    }
    return "all sent";
  },
  /** Turns until it is cancelled; counts its turns. */
  async spin({ turns }, context) {
    for (;;) {
      Atomics.add(turns, 0, 1);
      await context.turn();
    }
  },
  /** Adds up its inputs, slowly, and counts those it took. */
  async sum({ taken }, context) {
    let sum = 0;
    for await (const input of context.inputs()) {
      sum += input;
      if (taken) Atomics.add(taken, 0, 1);
      await context.turn();
    }
    return sum;
  },
  /** Takes no input, and waits until it is let go. */
  async deaf({ go }, context) {
    while (Atomics.load(go, 0) === 0) await context.turn();
    return "let go";
  },
  async fail() {
    throw new TypeError("a defect");
  },
  /** Ends the whole thread, as a crash would. */
  async crash() {
    setImmediate(() => {
      throw new Error("the thread crashes");
    });
    await new Promise(() => {});
  },
  async exit() {
    process.exit(3);
  },
});
