import { defineConfig } from "vitest/config";

// Runs in the guests of scripts/kernels, where JavaScript is 40 to 100 times slower: one
// process for all files, and limits that only end what hangs.
export default defineConfig({
  test: {
    include: ["test/kernels/guest/**/*.test.ts"],
    pool: "forks",
    isolate: false,
    maxWorkers: 1,
    // Compiled code goes to Node as it is: to transform it would cost seconds.
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["verbose", ["json", { outputFile: "test/.tmp/report.json" }]],
  },
});
