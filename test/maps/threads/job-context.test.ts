import { MessageChannel } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { JobContext } from "#dist/maps/threads/job-context.js";
import { WINDOW } from "#dist/maps/threads/job-message.js";

it("gives a job its input though it waits for room for an output meanwhile", async () => {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const context = new JobContext(port2);
  for (let output = 0; output < WINDOW; output++) await context.send(output, []);

  const input = context.inputs<string>().next();
  await new Promise(setImmediate);
  const sent = context.send("one too many", []);
  port1.postMessage({ type: "credit" });
  await sent;
  port1.postMessage({ type: "input", value: "late" });
  expect(await input).toEqual({ done: false, value: "late" });
}, 5000);
