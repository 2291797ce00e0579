import { defineConfig } from "vitest/config";

/** What of the host's own tests runs on every kernel. */
const CORE_SUITE = [
  "test/kernel/batch-calls.test.ts",
  "test/kernel/bpffs.test.ts",
  "test/kernel/element-calls.test.ts",
  "test/kernel/mapped-memory.test.ts",
  "test/kernel/program.test.ts",
  "test/kernel/object-references.test.ts",
  "test/kernel/ring-buffer.test.ts",
  "test/kernel/user-ring-buffer.test.ts",
  "test/kernel/perf-event-buffer.test.ts",
  "test/service/queues.test.ts",
];

// Runs in the guests of scripts/kernels, where JavaScript is 40 to 100 times slower: one
// process for all files, and limits that only end what hangs.
export default defineConfig({
  test: {
    include: ["test/kernels/guest/**/*.test.ts", ...CORE_SUITE],
    env: {
      BPFMAPD_TEST_START_LIMIT_MS: "120000",
      BPFMAPD_TEST_EMULATED: "1",
      // To give up capabilities a daemon starts itself anew, which takes half a minute here.
      BPFMAPD_CAPABILITIES: "all",
    },
    pool: "forks",
    isolate: false,
    maxWorkers: 1,
    // Compiled code goes to Node as it is: to transform it would cost seconds.
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ["verbose", ["json", { outputFile: "test/.tmp/report.json" }]],
  },
});
