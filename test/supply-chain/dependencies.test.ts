import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

interface LockedPackage {
  version: string;
  license?: string;
  integrity?: string;
  dev?: boolean;
  link?: boolean;
  hasInstallScript?: boolean;
}

const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockedPackage>;
};
/** What others wrote, by name and version. */
const locked = Object.entries(lock.packages)
  .filter(([path, { link }]) => path.includes("node_modules/") && !link)
  .map(([path, facts]) => {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    return { ...facts, name, id: `${name}@${facts.version}` };
  });
const shipped = locked.filter(({ dev }) => !dev);

/** Licences that ask for no more than to be told of. */
const LICENCES = ["Apache-2.0", "MIT", "BSD-3-Clause", "ISC", "(Apache-2.0 AND BSD-3-Clause)"];

/** Packages that would run a script when installed, and why they work without. */
const INSTALL_SCRIPTS = {
  "classic-level": "builds LevelDB from source; what is used is the prebuilt one in the package",
  koffi: "builds itself from source; what is used is the prebuilt package per platform",
  protobufjs: "warns of versions that do not fit; grpc-js pins the one that does",
  "@bufbuild/buf": "for development; looks whether the package per platform is there",
};

test("every package that ships has a licence that allows it", () => {
  expect(shipped.length).toBeGreaterThan(50);
  const others = shipped.filter(({ license = "none" }) => !LICENCES.includes(license));
  expect(others.map(({ id, license }) => `${id}: ${license}`)).toEqual([]);
});

test("every package is locked to its contents", () => {
  const loose = locked.filter(({ integrity }) => !integrity?.startsWith("sha512-"));
  expect(loose.map(({ id }) => id)).toEqual([]);
});

test("no install script runs, and those that packages have are known", () => {
  expect(readFileSync(join(ROOT, ".npmrc"), "utf8").split("\n")).toContain("ignore-scripts=true");
  const having = locked.filter(({ hasInstallScript }) => hasInstallScript);
  expect(having.map(({ name }) => name).sort()).toEqual(Object.keys(INSTALL_SCRIPTS).sort());
});

test("the bill of materials names every package, and marks those for development only", () => {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-sbom-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "bom.json");
  const { status, stderr } = spawnSync(join(ROOT, "scripts/sbom.sh"), [file], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  const bom = JSON.parse(readFileSync(file, "utf8")) as {
    bomFormat: string;
    components: {
      name: string;
      version: string;
      purl: string;
      properties?: { name: string; value: string }[];
    }[];
  };
  expect(bom.bomFormat).toBe("CycloneDX");
  const isDevelopment = new Map(
    bom.components.map(({ name, version, properties = [] }) => [
      `${name}@${version}`,
      properties.some((one) => one.name === "cdx:npm:package:development"),
    ]),
  );
  expect(locked.filter(({ id }) => !isDevelopment.has(id)).map(({ id }) => id)).toEqual([]);
  expect(shipped.filter(({ id }) => isDevelopment.get(id)).map(({ id }) => id)).toEqual([]);
});
