import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // These run on other kernels, with a configuration of their own.
    exclude: [...configDefaults.exclude, "test/kernels/**"],
    // Processes, not threads: tests mount, fork and load koffi, which keeps errno and
    // memory per thread and per process.
    pool: "forks",
    // Most tests wait for a daemon or the kernel, so one file more than the CPUs pays.
    maxWorkers: availableParallelism() + 1,
    // Nothing is timed by tests; these only end what hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ["test/global-setup.ts"],
    reporters: ["default", ["json", { outputFile: "test/.tmp/report.json" }]],
  },
});
