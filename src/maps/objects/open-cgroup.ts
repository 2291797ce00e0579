import { readdir, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { cgroup2Mount, closeFd, type OpenCgroup, openCgroup } from "../../kernel/index.js";
import type { CgroupRef } from "../object-ref.js";
import { Turns } from "../turns.js";
import { explainOpening, objectError } from "./object-error.js";

/** Opens the cgroup that a reference names; its fd is for the caller to close. */
export async function openCgroupOf(ref: CgroupRef, field: string): Promise<OpenCgroup> {
  const mount = cgroup2Mount();
  if (mount === undefined) {
    throw objectError("OBJECT_NOT_FOUND", field, "the host has no mounted cgroups of version 2");
  }
  return ref.by === "path"
    ? openByPath(mount, ref.path, `${field}.path`)
    : openById(mount, ref.id, `${field}.id`);
}

function openByPath(mount: string, path: string, field: string): OpenCgroup {
  if (!path.startsWith("/") || path.includes("\0") || posix.normalize(path) !== path) {
    const wanted = "give an absolute path below the cgroup2 mount, without '..' and '//'";
    throw objectError("FIELD_INVALID", field, `${JSON.stringify(path)} given; ${wanted}`);
  }
  let cgroup: OpenCgroup;
  try {
    cgroup = openCgroup(join(mount, path));
  } catch (error) {
    throw explainOpening(error, field, `cgroup ${path}`, ["ENOENT", "ENOTDIR"], "CAP_DAC_OVERRIDE");
  }
  if (cgroup.version === 2) return cgroup;
  closeFd(cgroup.fd);
  throw objectError("OBJECT_WRONG_KIND", field, `${path} is no cgroup of version 2`);
}

async function openById(mount: string, id: bigint, field: string): Promise<OpenCgroup> {
  for await (const path of cgroupsBelow(mount)) {
    const found = await stat(path, { bigint: true }).catch(gone);
    if (found?.ino !== id) continue;
    const cgroup = openByPath(mount, `/${posix.relative(mount, path)}`, field);
    // It may have been removed, and another made of its name.
    if (cgroup.id === id) return cgroup;
    closeFd(cgroup.fd);
  }
  throw objectError("OBJECT_NOT_FOUND", field, `there is no cgroup with id ${id}`);
}

const gone = () => undefined;

async function* cgroupsBelow(directory: string, turns = new Turns()): AsyncGenerator<string> {
  yield directory;
  for (const entry of (await readdir(directory, { withFileTypes: true }).catch(gone)) ?? []) {
    if (entry.isDirectory()) yield* cgroupsBelow(join(directory, entry.name), turns);
    await turns.yieldIfDue();
  }
}
