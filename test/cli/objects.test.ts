import { spawn } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { AttachType, ProgramType } from "#dist/kernel/index.js";
import { loadProgram, makeCgroup, makeInterfaces, pinProgram } from "../objects/support/objects.js";
import { SocketProcess } from "../objects/support/sockets.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { mustBpftool } from "./support/bpftool.js";
import { ctl, mustCtl } from "./support/ctl.js";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

const tryCtl = (line: string) => ctl(daemon, line.split(" "));

let maps = 0;

/** Makes a map, pinned and held; answers its pin. */
async function makeMap(spec: string): Promise<string> {
  const name = `o${maps++}`;
  const pin = `${daemon.bpffs}/${name}`;
  await mustCtl(daemon, `map create ${pin} --hold ${name} ${spec} name ${name}`);
  return pin;
}

const json = async (line: string) => JSON.parse(await mustCtl(daemon, `-j ${line}`)) as unknown;

/** Values as bpftool reads them, by key. */
function byBpftool(pin: string): Record<string, string> {
  const dump = JSON.parse(mustBpftool("-j", "map", "dump", "pinned", pin)) as {
    key: string[];
    value: string[] | { error: string };
  }[];
  const full = dump.filter(({ value }) => Array.isArray(value));
  return Object.fromEntries(full.map(({ key, value }) => [key.join(), String(value)]));
}

describe("programs", () => {
  it("are written as with bpftool, and shown with their ids", async () => {
    const [one, two] = [loadProgram(), loadProgram()];
    const path = pinProgram(daemon, two);
    const spec = "type prog_array key 4 value 4 entries 4";
    const [ours, theirs] = [await makeMap(spec), await makeMap(spec)];
    for (const [key, value] of [
      ["0 0 0 0", `id ${one.id}`],
      ["1 0 0 0", `pinned ${path}`],
    ]) {
      await mustCtl(daemon, `map update pinned ${ours} key ${key} value ${value}`);
      mustBpftool(
        ..."map update pinned".split(" "),
        theirs,
        ...`key ${key} value ${value}`.split(" "),
      );
    }
    expect(byBpftool(ours)).toEqual(byBpftool(theirs));
    expect(await json(`map lookup pinned ${ours} key 1 0 0 0`)).toMatchObject({
      object: { program_id: two.id },
    });
    const text = await mustCtl(daemon, `map dump pinned ${ours}`);
    expect(text).toContain(`program id ${one.id}\n`);
    expect(text).toMatch(/Found 2 elements\n$/);
    expect(await json(`map dump pinned ${ours}`)).toHaveLength(2);
    expect(JSON.parse(await mustCtl(daemon, `-p map dump pinned ${ours}`))).toEqual(
      await json(`map dump pinned ${ours}`),
    );
    await mustCtl(daemon, `map delete pinned ${ours} key 1 0 0 0`);
    expect(await json(`map dump pinned ${ours}`)).toHaveLength(1);
  });

  it("come back from an export within the boot, and programs are told with --programs", async () => {
    const pin = await makeMap("type prog_array key 4 value 4 entries 4");
    const { id } = loadProgram();
    await mustCtl(daemon, `map update pinned ${pin} key 2 0 0 0 value id ${id}`);
    const file = join(daemon.directory, "programs.bpfmap");
    await mustCtl(daemon, `map export pinned ${pin} ${file}`);
    const copy = `${daemon.bpffs}/copy`;
    await mustCtl(daemon, `map import ${file} create ${copy} --hold copy`);
    expect(byBpftool(copy)).toEqual(byBpftool(pin));
    expect(await json(`map show pinned ${copy} --programs`)).toMatchObject({ kept_objects: 1 });
  });
});

it("inner maps are exported by their pins, and come back in a new map", async () => {
  const inner = await makeMap("type array key 4 value 8 entries 2");
  const template = await makeMap("type array key 4 value 8 entries 2");
  const outer = await makeMap(
    `type hash_of_maps key 4 value 4 entries 4 inner_map pinned ${template}`,
  );
  await mustCtl(daemon, `map update pinned ${outer} key 7 0 0 0 value pinned ${inner}`);
  const file = join(daemon.directory, "outer.bpfmap");
  await mustCtl(daemon, `map export pinned ${outer} ${file}`);
  const copy = `${daemon.bpffs}/outer_copy`;
  await mustCtl(daemon, `map import ${file} create ${copy}`);
  expect(byBpftool(copy)).toEqual(byBpftool(outer));
  expect(await json(`map dump pinned ${copy}`)).toMatchObject([
    { key: ["0x07", "0x00", "0x00", "0x00"], object: { map: expect.stringMatching(/^id \d+$/) } },
  ]);
});

it("interfaces and queues are named, with and without programs", async () => {
  const [one] = makeInterfaces();
  const [toDevice, toCpu] = [AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP].map((type) =>
    loadProgram({ type: ProgramType.XDP, expectedAttachType: type }),
  );
  const devices = await makeMap("type devmap_hash key 4 value 8 entries 4");
  await mustCtl(
    daemon,
    `map update pinned ${devices} key 5 0 0 0 value interface ${one} program id ${toDevice!.id}`,
  );
  expect(await json(`map dump pinned ${devices}`)).toMatchObject([
    { object: { interface: one, program_id: toDevice!.id } },
  ]);
  const cpus = await makeMap("type cpumap key 4 value 8 entries 2");
  await mustCtl(
    daemon,
    `map update pinned ${cpus} key 1 0 0 0 value queue 192 program id ${toCpu!.id}`,
  );
  const text = await mustCtl(daemon, `map lookup pinned ${cpus} key 1 0 0 0`);
  expect(text).toContain(`queue 192 program id ${toCpu!.id}`);
  const file = join(daemon.directory, "devices.bpfmap");
  await mustCtl(daemon, `map export pinned ${devices} ${file}`);
  const copy = `${daemon.bpffs}/devices_copy`;
  await mustCtl(daemon, `map import ${file} create ${copy}`);
  expect(byBpftool(copy)).toEqual(byBpftool(devices));
});

it("sockets and cgroups are written, but never exported", async () => {
  const process = await SocketProcess.start("tcp_connected");
  const sockets = await makeMap("type sockhash key 4 value 8 entries 4");
  const socket = `${process.pid} ${process.fds[0]}`;
  await mustCtl(daemon, `map update pinned ${sockets} key 1 0 0 0 value socket ${socket}`);
  expect(await json(`map dump pinned ${sockets}`)).toMatchObject([
    { object: { socket: expect.stringMatching(/^cookie \d+$/) } },
  ]);
  const file = join(daemon.directory, "sockets.bpfmap");
  await mustCtl(daemon, `map export pinned ${sockets} ${file}`);
  const refused = await tryCtl(`map import ${file} into pinned ${sockets}`);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("sockets, which live in their process");

  const groups = await makeMap("type cgroup_array key 4 value 4 entries 2");
  await mustCtl(
    daemon,
    `map update pinned ${groups} key 1 0 0 0 value cgroup ${makeCgroup().path}`,
  );
  expect(await mustCtl(daemon, `map dump pinned ${groups}`)).toContain("not readable");
  const unread = await tryCtl(`map export pinned ${groups} ${file} --force`);
  expect(unread.stderr).toContain("lets nobody read the values");
});

it("storage is written, read and deleted by the object that is its key", async () => {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(() => void child.kill());
  const pin = await makeMap("type task_storage key 4 value 4 entries 0 flags 1");
  const key = `key task ${child.pid}`;
  expect((await tryCtl(`map lookup pinned ${pin} ${key}`)).code).toBe(2);
  await mustCtl(daemon, `map update pinned ${pin} ${key} value 1 2 3 4`);
  expect(await json(`map lookup pinned ${pin} ${key}`)).toMatchObject({
    value: ["0x01", "0x02", "0x03", "0x04"],
  });
  await mustCtl(daemon, `map delete pinned ${pin} ${key}`);
  expect((await tryCtl(`map lookup pinned ${pin} ${key}`)).code).toBe(2);
});
