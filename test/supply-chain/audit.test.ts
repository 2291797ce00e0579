import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

/** Audits against a registry that answers the question for advisories with this, and knows one package. */
async function audit(status: number, advisories: object): Promise<{ code: number; said: string }> {
  const registry = createServer((request, response) => {
    request.resume();
    const asksAdvisories = request.url?.startsWith("/-/npm/v1/security/");
    response.writeHead(asksAdvisories ? status : 200, { "content-type": "application/json" });
    const versions = { "3.3.4": { name: "koffi", version: "3.3.4" } };
    const koffi = { name: "koffi", "dist-tags": { latest: "3.3.4" }, versions };
    response.end(JSON.stringify(asksAdvisories ? advisories : koffi));
  });
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
  const cache = mkdtempSync(join(tmpdir(), "bpfmapd-audit-"));
  onTestFinished(() => {
    registry.closeAllConnections();
    registry.close();
    rmSync(cache, { recursive: true, force: true });
  });
  const { port } = registry.address() as AddressInfo;
  const child = spawn(process.execPath, [join(ROOT, "scripts/audit.mjs")], {
    cwd: ROOT,
    env: {
      ...process.env,
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: cache,
      npm_config_fetch_retries: "0",
    },
  });
  const exit = once(child, "exit") as Promise<[number]>;
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: (await exit)[0], said: `${out}${err}` };
}

test("passes where nothing is known", async () => {
  const { code, said } = await audit(200, {});
  expect(said).toMatch(/^Audited \d+ packages: nothing is known\.\n$/);
  expect(code).toBe(0);
});

test("fails where a package that ships has a known vulnerability", async () => {
  const advisory = { id: 1, url: "", title: "", severity: "high", vulnerable_versions: ">=0" };
  const { code, said } = await audit(200, { koffi: [{ ...advisory, cwe: [], cvss: {} }] });
  expect(said).toContain("high: koffi");
  expect(code).toBe(1);
});

test("passes, and says that it did not ask, where the registry does not answer", async () => {
  const { code, said } = await audit(405, {});
  expect(said).toContain("Not audited: the registry gives no answer");
  expect(code).toBe(0);
});
