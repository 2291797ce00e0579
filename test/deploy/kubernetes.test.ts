import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { makeConfig } from "#dist/daemon/config.js";
import { capabilitiesToKeep } from "#dist/daemon/needed-capabilities.js";

const ROOT = resolve(import.meta.dirname, "../..");
const MANIFESTS = join(ROOT, "deploy/kubernetes");
const VALIDATE = join(ROOT, "clients/python/.venv/bin/kubernetes-validate");

const names = readdirSync(MANIFESTS).filter((name) => name.endsWith(".yaml"));
const manifest = (name: string) => parse(readFileSync(join(MANIFESTS, name), "utf8"));
const pod = manifest("daemon-set.yaml").spec.template.spec;
const [container] = pod.containers;
const configuration = parse(manifest("config-map.yaml").data["bpfmapd.yaml"]);
const config = makeConfig([{ values: configuration, sourceOf: () => "the config map" }]);

test.each(names)("%s is what Kubernetes accepts, and knows each of its fields", (name) => {
  const file = join(MANIFESTS, name);
  const { status, stdout, stderr } = spawnSync(VALIDATE, ["--strict", file], { encoding: "utf8" });
  expect(status, stdout + stderr).toBe(0);
});

test("everything but the namespace is in the namespace", () => {
  for (const name of names.filter((other) => other !== "namespace.yaml")) {
    expect(manifest(name).metadata.namespace, name).toBe("bpfmapd");
  }
});

test("the container has the capabilities that are needed, but for the one that needs hostPID", () => {
  const { add, drop } = container.securityContext.capabilities;
  const needed = [...(capabilitiesToKeep(config) ?? [])].map((name) => name.slice("CAP_".length));
  expect(drop).toEqual(["ALL"]);
  expect(pod.hostPID).toBeUndefined();
  expect(add.toSorted()).toEqual(needed.filter((name) => name !== "SYS_PTRACE").sort());
});

test("the paths of the configuration are mounted from the host", () => {
  const mounted = (path: string) => {
    const mount = container.volumeMounts.find(
      (one: { mountPath: string }) => one.mountPath === path,
    );
    return pod.volumes.find(({ name }: { name: string }) => name === mount?.name)?.hostPath?.path;
  };
  for (const root of config.bpffs.roots) expect(mounted(root)).toBe(root);
  const directory = join(config.listen.unix.path, "..");
  expect(mounted(directory)).toBe(directory);
});

test("the Containerfile is without fault, and copies what is there", () => {
  const text = readFileSync(join(ROOT, "deploy/Containerfile"), "utf8");
  expect(validate(text)).toEqual([]);
  const copies = text.split("\n").filter((line) => /^COPY (?!--from)/.test(line));
  const sources = copies.flatMap((line) => line.split(" ").slice(1, -1));
  expect(sources.length).toBeGreaterThan(5);
  expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
});
