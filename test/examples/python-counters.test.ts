import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { Example } from "./support/example.js";
import { Program } from "./support/program.js";
import { twoHosts } from "./support/two-hosts.js";

const PYTHON = resolve(import.meta.dirname, "../../clients/python/.venv/bin/python");
const ETHERNET_BYTES = 14;
const PASS = 2;

/** Installs the example as its README says, beside the client that is installed already. */
function install({ directory, scratch }: Example): string {
  const alone = ["--no-deps", "--no-build-isolation", "--no-compile", "--target", scratch];
  const quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir"];
  execFileSync(PYTHON, ["-m", "pip", "install", ...quiet, ...alone, directory]);
  return join(scratch, "bin/bpf-counters");
}

/** An IPv4 packet of UDP to a port. */
function packetTo(port: number): Buffer {
  const packet = Buffer.alloc(100);
  packet.writeUInt16BE(0x0800, 12);
  packet[ETHERNET_BYTES] = 0x45;
  packet[ETHERNET_BYTES + 9] = 17;
  packet.writeUInt16BE(port, ETHERNET_BYTES + 22);
  return packet;
}

it("shows the ports' counters as they grow, and keeps them as CSV", async () => {
  const daemon = await startDaemon();
  const { host } = twoHosts({ host: ["192.0.2.1/24"], peer: ["192.0.2.2/24"] });
  const csv = join(daemon.directory, "ports.csv");
  const example = new Example("python-counters", {
    "/sys/fs/bpf": daemon.bpffs,
    "ports.o": join(daemon.directory, "ports.o"),
    "ports.csv": csv,
    ".venv/bin/bpf-counters": `bpf-counters --every 0.1 --address unix:${daemon.socket}`,
  });
  const command = install(example);
  example.type("clang", host);

  const receive = (port: number, times: number) => {
    const file = join(daemon.directory, "packet");
    writeFileSync(file, packetTo(port));
    const program = ["pinned", `${daemon.bpffs}/ports/program`];
    const input = ["data_in", file, "repeat", String(times)];
    const said = execFileSync("bpftool", ["-j", "prog", "run", ...program, ...input]);
    expect(JSON.parse(said.toString()).retval).toBe(PASS);
  };
  /** The readings of a port so far: packets, bytes, and their rates. */
  const readings = (port: number) =>
    readFileSync(csv, "utf8")
      .split(/\r?\n/)
      .map((line) => line.split(","))
      .filter(([, protocol, number]) => protocol === "udp" && number === String(port))
      .map((cells) => cells.slice(3).map(Number));
  const isRead = async (port: number, packets: number) => {
    while (readings(port).at(-1)?.[0] !== packets) await sleep(20);
  };

  receive(53, 3000);
  const path = `${resolve(command, "..")}:${process.env.PATH}`;
  const program = new Program(example.lines("bpf-counters"), example.directory, {
    terminal: true,
    env: { PATH: path, PYTHONPATH: example.scratch, COLUMNS: "80", LINES: "24", TERM: "xterm" },
  });
  await program.hasPrinted(/udp 53 +│ +0\.0 │ +0 bytes\/s │ +3,000 │ +300\.0 kB/);
  await isRead(53, 3000);
  receive(53, 5000);
  receive(443, 7);
  await isRead(53, 8000);
  await isRead(443, 7);
  let shown = await program.hasPrinted(/udp 443 +│.*│ +7 │ +700 bytes/);

  // The rates add up to what came between the first reading and the last.
  const ofPort = readings(53);
  expect(ofPort[0]).toEqual([3000, 300_000, 0, 0]);
  expect(ofPort.some(([, , packetRate, byteRate]) => packetRate! > 0 && byteRate! > 0)).toBe(true);

  await daemon.kill();
  shown = await program.hasPrinted(/waiting: /, shown);
  receive(443, 1);
  await daemon.restart();
  await isRead(443, 8);

  // Another program comes, with a map of its own.
  example.type("xdp off", host);
  await program.hasPrinted(/waiting: /, shown);
  example.type("clang", host);
  receive(443, 5);
  await isRead(443, 5);
  expect(readings(443).every(([, , packetRate]) => packetRate! >= 0)).toBe(true);

  expect(await program.interrupt()).toBe(0);
  example.type("xdp off", host);
}, 600_000);
