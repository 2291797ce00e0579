import { readFileSync } from "node:fs";
import { ExitCode, StartError } from "./exit-code.js";

/**
 * The number of a group given by name or number. Only /etc/group is asked: Node has no
 * getgrnam. For groups from elsewhere (LDAP), give the number.
 */
export function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`${group}:`));
  const gid = Number(line?.split(":")[2] ?? Number.NaN);
  if (Number.isInteger(gid)) return gid;
  throw new StartError(
    ExitCode.CONFIGURATION,
    `listen.unix.group: there is no group "${group}" in /etc/group; give its number`,
  );
}
