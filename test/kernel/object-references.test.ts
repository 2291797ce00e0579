import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  Assembler,
  BtfBuilder,
  borrowFd,
  btfLoad,
  cgroup2Mount,
  cgroup2MountIn,
  closeFd,
  ElementCalls,
  interfaceIndex,
  interfaceName,
  objectKind,
  openCgroup,
  openProcess,
  ProgramType,
  rawTracepointOpen,
  socketFacts,
} from "#dist/kernel/index.js";
import { testMap, testProgram } from "./support/programs.js";

function closedAfterTest(fd: number): number {
  onTestFinished(() => closeFd(fd));
  return fd;
}

/** A process that listens on a TCP port of the loopback interface, and the fd of its socket. */
async function listeningProcess(): Promise<{ pid: number; fd: number }> {
  const script = `
    const server = require("node:net").createServer();
    server.listen(0, "127.0.0.1", () => console.log(server._handle.fd));
  `;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [output] = await once(child.stdout, "data");
  return { pid: child.pid as number, fd: Number(output) };
}

describe("another process", () => {
  it("lends a socket by pid and number, which then goes into a map", async () => {
    const child = await listeningProcess();
    const pidfd = closedAfterTest(openProcess(child.pid));
    const socket = closedAfterTest(borrowFd(pidfd, child.fd));
    const facts = socketFacts(socket);
    expect(facts).toMatchObject({ domain: 2, type: 1, protocol: 6, listening: true });

    const map = testMap({ type: 15, keySize: 4, valueSize: 8, maxEntries: 1 });
    const calls = new ElementCalls(map, 4, 8);
    onTestFinished(() => calls.release());
    calls.key.writeUInt32LE(0);
    calls.value.writeBigUInt64LE(BigInt(socket));
    expect(calls.update()).toBeUndefined();
    calls.value.fill(0);
    expect(calls.lookup()).toBeUndefined();
    expect(calls.value.readBigUInt64LE()).toBe(facts.cookie);
  });

  it("is refused where there is none, or nothing under the number", async () => {
    expect(() => openProcess(0x3fffffff)).toThrow("pidfd_open: ESRCH");
    const pidfd = closedAfterTest(openProcess(process.pid));
    expect(() => borrowFd(pidfd, 1_000_000)).toThrow("pidfd_getfd: EBADF");
  });
});

it("says of files that they are no sockets", () => {
  const file = closedAfterTest(openSync("/proc/self/status", "r"));
  expect(() => socketFacts(file)).toThrow("getsockopt: ENOTSOCK");
});

it("tells both ends of a connection from the socket that listens", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => void client.destroy());
  await once(client, "connect");
  const [listening, connected] = [server, client].map((end) => socketFacts(fdOf(end)));
  expect(listening?.listening).toBe(true);
  expect(connected?.listening).toBe(false);
  expect(connected?.cookie).not.toBe(listening?.cookie);
});

/** Node has no public way to say it. */
function fdOf(end: object): number {
  return (end as { _handle: { fd: number } })._handle.fd;
}

describe("cgroups", () => {
  it("are opened by path, with the id that programs know", () => {
    const mount = cgroup2Mount() as string;
    const name = `bpfmapd-test-${process.pid}`;
    mkdirSync(join(mount, name));
    onTestFinished(() => rmdirSync(join(mount, name)));
    const cgroup = openCgroup(name);
    closedAfterTest(cgroup.fd);
    expect(cgroup.version).toBe(2);
    expect(cgroup.id).toBe(statSync(join(mount, name), { bigint: true }).ino);
    const absolute = openCgroup(join(mount, name));
    closedAfterTest(absolute.fd);
    expect(absolute.id).toBe(cgroup.id);

    const array = testMap({ type: 8, keySize: 4, valueSize: 4, maxEntries: 1 });
    const calls = new ElementCalls(array, 4, 4);
    onTestFinished(() => calls.release());
    calls.key.writeUInt32LE(0);
    calls.value.writeUInt32LE(cgroup.fd);
    expect(calls.update()).toBeUndefined();
  });

  it("are not mistaken for other directories and files", () => {
    expect(() => openCgroup("/proc")).toThrow("open: EBADF");
    expect(() => openCgroup("/proc/self/status")).toThrow("open: ENOTDIR");
    expect(() => openCgroup("no/such/group")).toThrow("open: ENOENT");
  });

  it("are found where they are mounted", () => {
    expect(cgroup2MountIn("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")).toBe("/sys/fs/cgroup");
    expect(cgroup2MountIn("none /my\\040groups cgroup2 rw 0 0\n")).toBe("/my groups");
    expect(cgroup2MountIn("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n")).toBeUndefined();
    expect(readFileSync("/proc/self/mounts", "utf8")).toContain(`${cgroup2Mount()} cgroup2`);
  });
});

describe("network interfaces", () => {
  it("are found by name and by number", () => {
    const index = interfaceIndex("lo") as number;
    expect(index).toBe(Number(readFileSync("/sys/class/net/lo/ifindex", "latin1")));
    expect(interfaceName(index)).toBe("lo");
  });

  it("are undefined where there is none", () => {
    expect(interfaceIndex("no-such-if")).toBeUndefined();
    expect(interfaceName(0x7ffffff0)).toBeUndefined();
  });
});

it("tells what an fd of bpf(2) stands for", () => {
  const program = testProgram(new Assembler().return(0), { type: ProgramType.RAW_TRACEPOINT });
  const builder = new BtfBuilder();
  builder.add({ kind: "int", name: "int", size: 4 });
  expect(objectKind(testMap({ type: 2, keySize: 4, valueSize: 4, maxEntries: 1 }))).toBe("map");
  expect(objectKind(program)).toBe("program");
  expect(objectKind(closedAfterTest(btfLoad(builder.build())))).toBe("btf");
  const link = rawTracepointOpen({ programFd: program, name: "sys_enter" });
  expect(objectKind(closedAfterTest(link))).toBe("link");
  expect(objectKind(closedAfterTest(openSync("/proc/self/status", "r")))).toBeUndefined();
});
