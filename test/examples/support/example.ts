import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";

const EXAMPLES = resolve(import.meta.dirname, "../../../examples");

/** The block of an example's README in this language. */
export function documentIn(name: string, language: string): string {
  const readme = readFileSync(join(EXAMPLES, name, "README.md"), "utf8");
  const [, block] = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "ms").exec(readme) ?? [];
  if (block === undefined) throw new Error(`the README has no ${language}`);
  return block;
}

/** One of examples/, and what its README tells people to type. */
export class Example {
  readonly directory: string;
  /** A directory for what the test makes; gone when it ends. */
  readonly scratch = mkdtempSync(join(tmpdir(), "bpfmapd-example-"));
  readonly #blocks: string[];

  /** `places` says what stands in the test for what the README names. */
  constructor(name: string, places: Readonly<Record<string, string>>) {
    this.directory = join(EXAMPLES, name);
    onTestFinished(() => rmSync(this.scratch, { recursive: true, force: true }));
    const readme = readFileSync(join(this.directory, "README.md"), "utf8");
    this.#blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) =>
      Object.entries(places).reduce((text, [from, to]) => text.replaceAll(from, to), block!),
    );
  }

  /** The README's lines that have this text, as one block of a shell, each in one piece. */
  lines(text: string): string {
    const block = this.#blocks.find((each) => each.includes(text));
    if (block === undefined) throw new Error(`the README has no lines with ${text}`);
    return block.replaceAll("\\\n", "").trim();
  }

  /** Types lines of the README, in a network namespace. */
  type(text: string, namespace: string): void {
    const args = ["netns", "exec", namespace, "sh", "-euc", this.lines(text)];
    execFileSync("ip", args, { cwd: this.directory, stdio: ["ignore", "ignore", "pipe"] });
  }
}
