import { copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TypedMap } from "@bpfmapd/client";
import { ipv4, prefix, u32 } from "@bpfmapd/client/codec";
import { expect, it } from "vitest";
import { bpftool } from "../service/support/bpftool.js";
import { startDaemon } from "../support/daemon.js";
import { Example } from "./support/example.js";
import { Program } from "./support/program.js";
import { runIn, twoHosts } from "./support/two-hosts.js";

const UDP = join(import.meta.dirname, "support/udp.mjs");
const HOST = { v4: "192.0.2.1", v6: "2001:db8::1" };
const LISTED = "198.51.100.1";
const LISTED6 = "2001:db8:bad::2";
const EXCEPTION = "198.51.100.7";
const STRANGER = "192.0.2.2";

/** The protected host with the README's program on it, and one that sends to it. */
async function protectedHost() {
  const daemon = await startDaemon();
  const hosts = twoHosts({
    host: [`${HOST.v4}/24`, "198.51.100.254/24", `${HOST.v6}/64`, "2001:db8:bad::fe/64"],
    peer: [`${STRANGER}/24`, `${LISTED}/24`, `${EXCEPTION}/24`, "2001:db8::2/64", `${LISTED6}/64`],
  });
  const example = new Example("go-blocklist", {
    "/sys/fs/bpf": daemon.bpffs,
    "blocklist.o": join(daemon.directory, "blocklist.o"),
    "blocklist.txt": join(daemon.directory, "blocklist.txt"),
    "-o controller": `-o ${daemon.directory}/controller`,
    "./controller": `${daemon.directory}/controller -address unix:${daemon.socket} -every 100ms`,
  });
  const file = join(daemon.directory, "blocklist.txt");
  copyFileSync(join(example.directory, "blocklist.txt"), file);
  example.type("clang", hosts.host);
  return { daemon, hosts, example, file };
}

/** Replaces a file whole, as an editor does. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

it("keeps the tries equal to its file, whatever happens to either, and tells what is dropped", async () => {
  const { daemon, hosts, example, file } = await protectedHost();
  const listeners = [HOST.v4, HOST.v6].map(
    (address) =>
      new Program(
        `ip netns exec ${hosts.host} ${process.execPath} ${UDP} listen ${address}`,
        daemon.directory,
      ),
  );
  const [listener, listener6] = listeners as [Program, Program];
  for (const each of listeners) await each.hasPrinted(/listening/);
  const send = (to: string, from: string, count: number) =>
    runIn(hosts.peer, process.execPath, UDP, "send", to, from, String(count));

  const controller = new Program(example.lines("go build"), example.directory);
  let read = await controller.hasPrinted(/map=blocked4 prefixes=3 added=3/);
  await controller.hasPrinted(/map=blocked6 prefixes=1 added=1/);

  send(HOST.v4, LISTED, 30);
  send(HOST.v6, LISTED6, 12);
  send(HOST.v6, "2001:db8::2", 1);
  send(HOST.v4, EXCEPTION, 1);
  send(HOST.v4, STRANGER, 1);
  // Packets arrive in order: what was sent before these is dropped.
  await listener.hasPrinted(new RegExp(STRANGER));
  expect(listener.output).toBe(`listening\n${EXCEPTION}\n${STRANGER}\n`);
  await listener6.hasPrinted(/2001:db8::2/);
  expect(listener6.output).toBe("listening\n2001:db8::2\n");
  await controller.hasPrinted(/INFO dropped packets\/s=\d.* packets=42 /);

  const list = readFileSync(file, "utf8");
  replace(file, "198.51.100.0/33\n");
  read = await controller.hasPrinted(/the list stays as it was.*blocklist\.txt:1: /, read);
  replace(file, list.replace("198.51.100.0/24", ""));
  read = await controller.hasPrinted(/map=blocked4 .*removed=1/, read);
  send(HOST.v4, LISTED, 1);
  await listener.hasPrinted(new RegExp(LISTED));

  const open = async (): Promise<TypedMap<string, number>> =>
    daemon.client.open(
      { pinPath: `${daemon.bpffs}/blocklist/blocked4` },
      { key: prefix(ipv4), value: u32 },
    );
  const blocked = await open();
  await blocked.update("203.0.113.77/32", 1);
  read = await controller.hasPrinted(/map=blocked4 .*removed=1/, read);
  await blocked.delete("203.0.113.9/32");
  read = await controller.hasPrinted(/map=blocked4 .*added=1/, read);

  await daemon.kill();
  const pinned = ["pinned", `${daemon.bpffs}/blocklist/blocked4`];
  bpftool("map", "delete", ...pinned, "key", "32", "0", "0", "0", "203", "0", "113", "9");
  await daemon.restart();
  read = await controller.hasPrinted(/map=blocked4 .*added=1/, read);

  // Another program comes, with maps of its own.
  example.type("xdp off", hosts.host);
  example.type("clang", hosts.host);
  read = await controller.hasPrinted(/map=blocked4 prefixes=2 added=2/, read);
  const contents = [];
  for await (const element of await open()) contents.push(element);
  expect(contents.sort()).toEqual([
    ["198.51.100.7/32", 0],
    ["203.0.113.9/32", 1],
  ]);

  expect(await controller.interrupt()).toBe(0);
  example.type("xdp off", hosts.host);
}, 600_000);
