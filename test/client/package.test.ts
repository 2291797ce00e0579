import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { startDaemon } from "../support/daemon.js";

const ROOT = resolve(import.meta.dirname, "../..");
const PACKAGE = join(ROOT, "clients/typescript");
const run = promisify(execFile);

/** Runs one of the repository's tools; what it prints is the error where it fails. */
async function tool(name: string, args: string[], cwd: string): Promise<void> {
  const binary = join(ROOT, "node_modules/.bin", name);
  await run(binary, args, { cwd }).catch(({ stdout, stderr }) =>
    expect.fail(`${name}: ${stdout}${stderr}`),
  );
}

it("is a package as publint and are-the-types-wrong want it", async () => {
  await tool("publint", ["--strict"], PACKAGE);
  await tool("attw", ["--pack", ".", "--profile", "esm-only"], PACKAGE);
}, 120_000);

it("installs into an empty project, where its first example runs as it stands", async () => {
  const project = mkdtempSync(join(tmpdir(), "bpfmapd-package-"));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", project], {
    cwd: PACKAGE,
    encoding: "utf8",
  });
  writeFileSync(join(project, "package.json"), '{ "type": "module", "private": true }');
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  await run("npm", ["install", ...quiet, `./${packed.trim()}`], { cwd: project });

  const daemon = await startDaemon();
  const [example] = examplesWith("hits.update(");
  // The daemon of a test listens elsewhere than the example's.
  const here = example!.replace("connect()", `connect({ address: "unix:${daemon.socket}" })`);
  writeFileSync(join(project, "example.ts"), here);
  const config = { extends: join(ROOT, "tsconfig.base.json"), include: ["example.ts"] };
  const compilerOptions = { typeRoots: [join(ROOT, "node_modules/@types")], types: ["node"] };
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ ...config, compilerOptions: { ...compilerOptions, composite: false } }),
  );
  await tool("tsc", ["-p", "."], project);
  const { stdout } = await run(process.execPath, ["example.js"], { cwd: project });
  expect(stdout).toBe("42n\n");
}, 120_000);

/** The README's examples that have this text. */
function examplesWith(text: string): string[] {
  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
  return examples.filter((code) => code.includes(text));
}
