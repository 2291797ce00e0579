import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect } from "@bpfmapd/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { mountPrivateBpffs, startDaemon } from "../support/daemon.js";
import { runDaemon, temporaryDirectory } from "./support/run.js";

function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

/** A bpffs of its own for a daemon that is started by hand. */
function privateBpffs(): string {
  const directory = join(temporaryDirectory(), "bpffs");
  mountPrivateBpffs(directory);
  onTestFinished(() => {
    spawnSync("umount", ["-l", directory]);
  });
  return directory;
}

describe("the unix socket", () => {
  test("is for owner and group in a directory that others cannot enter", async () => {
    const { socket, client } = await startDaemon();
    expect(modeOf(socket)).toBe("660");
    expect(modeOf(join(socket, ".."))).toBe("750");
    expect((await client.host.getHost({})).host?.daemonVersion).toBe("0.1.0");
  });

  test("has the modes and the group that are set", async () => {
    const group = readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .find(([, , gid]) => gid !== undefined && gid !== "0");
    const [name, , gid] = group as [string, string, string];
    const args = ["--socket-mode", "0600", "--socket-directory-mode", "0711", "--socket-group"];
    const byName = await startDaemon({ args: [...args, name] });
    const byNumber = await startDaemon({ args: [...args, gid] });
    for (const { socket } of [byName, byNumber]) {
      const directory = join(socket, "..");
      expect([modeOf(socket), modeOf(directory)]).toEqual(["600", "711"]);
      expect([statSync(socket).gid, statSync(directory).gid]).toEqual([Number(gid), Number(gid)]);
    }
  });

  test("leaves a directory that was there as it is", async () => {
    const directory = join(temporaryDirectory(), "run");
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    const socket = join(directory, "d.sock");
    await startDaemon({ args: ["--socket", socket] });
    expect(modeOf(directory)).toBe("755");
    expect(modeOf(socket)).toBe("660");
  });

  test("is taken over from a daemon that died, and goes with one that stops", async () => {
    const daemon = await startDaemon();
    await daemon.kill();
    expect(statSync(daemon.socket).isSocket()).toBe(true);
    await daemon.restart();
    await daemon.client.host.getHost({});
    expect(await daemon.stop()).toBe(0);
    expect(() => statSync(daemon.socket)).toThrow("ENOENT");
  });

  test("is left to the daemon that answers on it", async () => {
    const { socket, client } = await startDaemon();
    const second = runDaemon(["--socket", socket, "--bpffs-root", privateBpffs()]);
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(`another daemon answers on ${socket}`);
    await client.host.getHost({});
  });

  test("goes to one of several daemons that start at once where one died", async () => {
    const first = await startDaemon();
    await first.kill();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 3 }, () => startDaemon({ args: ["--socket", first.socket] })),
    );
    const started = outcomes.filter(({ status }) => status === "fulfilled");
    expect(started).toHaveLength(1);
    await first.client.waitForReady(10_000);
    await first.client.host.getHost({});
  });

  test("never replaces what is no socket", () => {
    const path = join(temporaryDirectory(), "precious");
    writeFileSync(path, "data");
    const { code, stderr } = runDaemon(["--socket", path, "--bpffs-root", privateBpffs()]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${path} is there and is no socket`);
    expect(readFileSync(path, "utf8")).toBe("data");
  });

  test("of something else that answers is in use, too", async () => {
    const path = join(temporaryDirectory(), "other.sock");
    const other = createServer().listen(path);
    onTestFinished(() => void other.close());
    await expect(startDaemon({ args: ["--socket", path] })).rejects.toThrow(
      "another daemon answers on",
    );
  });

  test("with a group that there is not is refused", () => {
    const { code, stderr } = runDaemon([
      ...["--socket", join(temporaryDirectory(), "d.sock")],
      ...["--socket-group", "no-such-group"],
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('there is no group "no-such-group"');
  });

  test("serves many connections", async () => {
    const { socket } = await startDaemon();
    const clients = Array.from({ length: 50 }, () =>
      connect({
        address: `unix:${socket}`,
        channelOptions: { "grpc.use_local_subchannel_pool": 1 },
      }),
    );
    onTestFinished(() => {
      for (const client of clients) client.close();
    });
    await Promise.all(clients.map((client) => client.host.getHost({})));
  });
});
