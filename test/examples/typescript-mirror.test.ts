import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { be16, ipv4, struct, u32 } from "@bpfmapd/client/codec";
import { expect, it } from "vitest";
import { createAuthority } from "../daemon/support/certificates.js";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { policyFile } from "../support/policy.js";
import { documentIn, Example } from "./support/example.js";
import { Program } from "./support/program.js";
import { twoHosts } from "./support/two-hosts.js";

const STANDBY = "192.0.2.2";
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const XDP_DROP = 1;
const XDP_TX = 3;

/** 192.0.2.80:443, as struct service. */
const SERVICE = Buffer.from([192, 0, 2, 80, 1, 0xbb, 0, 0]);
const FLOW = struct({ saddr: ipv4, daddr: ipv4, sport: be16, dport: be16 });

/** A host with the load balancer, and what it does with packets. */
class Balancer {
  readonly daemon: TestDaemon;
  readonly #example: Example;
  readonly #namespace: string;

  constructor(daemon: TestDaemon, namespace: string) {
    this.daemon = daemon;
    this.#namespace = namespace;
    this.#example = new Example("typescript-mirror", {
      "/sys/fs/bpf": daemon.bpffs,
      "balancer.o": join(daemon.directory, "balancer.o"),
    });
    this.load();
  }

  load(): void {
    this.#example.type("clang", this.#namespace);
  }

  unload(): void {
    this.#example.type("xdp off", this.#namespace);
  }

  /** Says that there is a service, and where its backends are; each has a MAC address that ends with its index. */
  async serve(...indices: number[]): Promise<void> {
    const services = this.daemon.client.map({ pinPath: this.#pin("services") });
    await services.update(SERVICE, Buffer.alloc(4));
    const backends = this.daemon.client.map({ pinPath: this.#pin("backends") });
    for (const index of indices) {
      const key = Buffer.alloc(4);
      key.writeUInt32LE(index);
      await backends.update(key, Buffer.from([2, 0, 0, 0, 1, index, 1, 0]));
    }
  }

  /** Lets it see a TCP packet; the backend that it goes to, undefined where it is dropped. */
  receive(sport: number, flags: number): number | undefined {
    const packet = Buffer.alloc(64);
    packet.writeUInt16BE(0x0800, 12);
    packet.set([0x45, 0], 14);
    packet[23] = 6;
    packet.set([203, 0, 113, 5, 192, 0, 2, 80], 26);
    packet.writeUInt16BE(sport, 34);
    packet.writeUInt16BE(443, 36);
    packet[47] = flags;
    const [input, output] = ["in", "out"].map((name) => join(this.daemon.directory, name));
    writeFileSync(input!, packet);
    const program = ["prog", "run", "pinned", this.#pin("program")];
    const args = ["-j", ...program, "data_in", input!, "data_out", output!];
    const { retval } = JSON.parse(execFileSync("bpftool", args, { encoding: "utf8" }));
    if (retval === XDP_DROP) return undefined;
    expect(retval).toBe(XDP_TX);
    const out = readFileSync(output!);
    expect(out.subarray(0, 5)).toEqual(Buffer.from([2, 0, 0, 0, 1]));
    return out[5]!;
  }

  /** The sessions: their source ports and backends. */
  async sessions(): Promise<Map<number, number>> {
    const ref = { pinPath: this.#pin("sessions") };
    const sessions = await this.daemon.client.open(ref, { key: FLOW, value: u32 });
    const found = new Map<number, number>();
    for await (const [{ sport }, backend] of sessions) found.set(sport, backend);
    return found;
  }

  #pin(name: string): string {
    return `${this.daemon.bpffs}/balancer/${name}`;
  }
}

/** Waits until both have the same sessions, which is what a mirror comes to. */
async function areEqual(active: Balancer, standby: Balancer): Promise<void> {
  for (;;) {
    const [expected, found] = await Promise.all([active.sessions(), standby.sessions()]);
    const same = [...expected].every(([port, backend]) => found.get(port) === backend);
    if (same && found.size === expected.size) return;
    await sleep(20);
  }
}

it("keeps connections with their backends on a standby, whichever daemon restarts", async () => {
  const hosts = twoHosts({ host: ["192.0.2.1/24"], peer: [`${STANDBY}/24`] });
  const authority = createAuthority();
  const { certFile, keyFile } = authority.issue("standby");
  const mirrorKey = authority.issue("mirror", "DNS:mirror.example");
  const policyOfReadme = documentIn("typescript-mirror", "yaml");
  const active = new Balancer(await startDaemon(), hosts.host);
  const standbyDaemon = await startDaemon({
    under: ["ip", "netns", "exec", hosts.peer],
    args: [
      ...["--tcp", `${STANDBY}:7443`, "--tls-cert", certFile, "--tls-key", keyFile],
      ...["--tls-client-ca", authority.certFile, "--policy", policyFile(policyOfReadme)],
    ],
  });
  const standby = new Balancer(standbyDaemon, hosts.peer);
  await active.serve(3, 5, 7);
  await standby.serve(3, 5, 7);

  for (let port = 1000; port < 1100; port++) expect(active.receive(port, SYN)).toBeDefined();
  const example = new Example("typescript-mirror", {
    "standby.example": STANDBY,
    "ca.pem": `${authority.certFile} --server-name localhost`,
    "mirror.pem": mirrorKey.certFile,
    "mirror.key": mirrorKey.keyFile,
    "unix:/run/bpfmapd/bpfmapd.sock": `unix:${active.daemon.socket}`,
    // The pins of one host are those of the other; here each has a bpffs of its own.
    "--pin /sys/fs/bpf": `--to-pin ${standby.daemon.bpffs}/balancer/sessions --pin ${active.daemon.bpffs}`,
  });
  execFileSync("npm", ["run", "--silent", "build"], { cwd: example.directory });
  const lines = `ip netns exec ${hosts.host} ${example.lines("node dist")}`;
  const mirror = new Program(lines, example.directory);
  let read = await mirror.hasPrinted(/contents: 100 elements, 100 added/);
  await areEqual(active, standby);
  expect(new Set((await standby.sessions()).values())).toEqual(new Set([3, 5, 7]));

  // Connections come and go; the standby knows those that are.
  const backend = active.receive(2000, SYN);
  active.receive(1000, RST);
  await areEqual(active, standby);
  expect(standby.receive(2000, ACK)).toBe(backend);
  expect(standby.receive(1000, ACK)).toBeUndefined();
  expect(standby.receive(4000, ACK)).toBeUndefined();

  // The source's daemon is away while its program goes on.
  await active.daemon.kill();
  active.receive(2001, SYN);
  active.receive(1001, RST);
  await active.daemon.restart();
  read = await mirror.hasPrinted(/the source starts over/, read);
  await areEqual(active, standby);
  active.receive(2002, SYN);
  await areEqual(active, standby);

  // The target's daemon is away while there are changes.
  await standby.daemon.kill();
  active.receive(2003, SYN);
  active.receive(1002, RST);
  await standby.daemon.restart();
  read = await mirror.hasPrinted(/contents: /, read);
  await areEqual(active, standby);

  // The standby's program is loaded anew: nothing changes at the source, its maps are empty.
  standby.unload();
  standby.load();
  await standby.serve(3, 5, 7);
  read = await mirror.hasPrinted(/another map|starting over/, read);
  await areEqual(active, standby);

  // And so is the active one's, whose connections are all new.
  active.unload();
  active.load();
  await active.serve(7);
  expect(active.receive(3000, SYN)).toBe(7);
  await areEqual(active, standby);
  expect(await standby.sessions()).toEqual(new Map([[3000, 7]]));
  expect(standby.receive(3000, ACK)).toBe(7);

  expect(await mirror.interrupt()).toBe(0);
}, 600_000);
