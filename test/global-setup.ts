import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

// Tests run the compiled code (#dist, @bpfmapd/client). An old build would answer for
// code that is not there any more, so it is pointed out.

const projects = [
  { source: "src", stamp: "dist/.tsbuildinfo" },
  { source: "clients/typescript/src", stamp: "clients/typescript/dist/.tsbuildinfo" },
];

export default function setup(): void {
  for (const { source, stamp } of projects) {
    if (!existsSync(stamp)) {
      throw new Error(`${source} is not compiled: run "npm run build", or "make test"`);
    }
    const built = statSync(stamp).mtimeMs;
    const newer = sourceFiles(source).find((file) => statSync(file).mtimeMs > built);
    if (newer !== undefined) {
      console.warn(
        `${newer} is newer than what was compiled from it: run "npm run build", or "make test"`,
      );
    }
  }
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}
