import { closeFd } from "../../kernel/index.js";
import type { EncodeContext } from "../element-codec.js";
import type { ObjectKey } from "../object-ref.js";
import { objectError } from "./object-error.js";
import { openCgroupOf } from "./open-cgroup.js";
import { openPath, openSocket, openTask } from "./open-file.js";

/** Writes one key as the kernel takes it; what it names is opened for the request. */
export async function encodeObjectKey(
  key: ObjectKey,
  into: Buffer,
  field: string,
  { fds }: EncodeContext,
): Promise<void> {
  switch (key.kind) {
    case "socket":
      into.writeUInt32LE(fds.add(openSocket(key.socket, `${field}.socket`).fd));
      return;
    case "path":
      into.writeUInt32LE(fds.add(await openPath(key.path, `${field}.path`)));
      return;
    case "task":
      into.writeUInt32LE(fds.add(openTask(key.pid, `${field}.task`)));
      return;
    case "cgroup":
      into.writeUInt32LE(fds.add((await openCgroupOf(key.cgroup, `${field}.cgroup`)).fd));
      return;
    case "attachment":
      return encodeAttachment(key, into, `${field}.attachment`);
  }
}

/** The cgroup's id, and in keys of 16 bytes the attach type after it. */
async function encodeAttachment(
  { cgroup, attachType }: Extract<ObjectKey, { kind: "attachment" }>,
  into: Buffer,
  field: string,
): Promise<void> {
  if (into.length < 16 && attachType !== 0) {
    const why = "the keys of this map are cgroup ids alone: leave it out";
    throw objectError("FIELD_INVALID", `${field}.attach_type`, why);
  }
  const { fd, id } = await openCgroupOf(cgroup, `${field}.cgroup`);
  closeFd(fd);
  into.writeBigUInt64LE(id);
  if (into.length >= 16) into.writeUInt32LE(attachType, 8);
}
