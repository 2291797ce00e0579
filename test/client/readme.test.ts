import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

it("shows examples that compile as they stand", () => {
  const readme = readFileSync(join(ROOT, "clients/typescript/README.md"), "utf8");
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
  expect(examples.length).toBeGreaterThan(0);

  // Inside the repository, so that the package and its types are found as by a user.
  mkdirSync(join(ROOT, "test/.tmp"), { recursive: true });
  const directory = mkdtempSync(join(ROOT, "test/.tmp/readme-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const config = {
    extends: join(ROOT, "tsconfig.base.json"),
    compilerOptions: { noEmit: true },
    include: ["*.ts"],
  };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
  for (const [index, code] of examples.entries()) {
    writeFileSync(join(directory, `example-${index}.ts`), code);
  }
  try {
    execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", directory], { encoding: "utf8" });
  } catch (error) {
    expect.unreachable((error as { stdout: string }).stdout);
  }
});
