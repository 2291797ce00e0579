import type { Columns } from "../columns.js";
import { ElementWriter } from "../element-writer.js";
import { UPDATE_ELEMENT } from "../explain.js";
import type { JobContext } from "../threads/job-context.js";
import { checkedInputs, type LoadArgs, type LoadResult, wholeValues } from "./load-input.js";
import { explainFor } from "./scan-target.js";

/** Writes the stream's elements and leaves all others. */
export async function mergeJob(args: LoadArgs, context: JobContext): Promise<LoadResult> {
  const { target } = args;
  const writer = new ElementWriter(
    target.fd,
    target.layout,
    { updateBatch: target.updateBatch, singleCpuByKernel: false },
    { mode: "any", lock: false },
  );
  let received = 0;
  try {
    for await (const columns of checkedInputs(args, context)) {
      const whole: Columns = { ...columns, values: wholeValues(args, columns) };
      for (let done = 0; done < columns.count; ) {
        const { written, errno } = writer.write(whole, done);
        done += written;
        if (errno !== undefined) {
          const index = String(received + done);
          throw explainFor(target, errno, UPDATE_ELEMENT).with({ index, applied: index });
        }
        await context.turn();
      }
      received += columns.count;
    }
    return { received, written: received };
  } finally {
    writer.release();
  }
}
