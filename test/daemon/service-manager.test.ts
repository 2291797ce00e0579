import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { receiveDatagrams } from "../support/datagrams.js";
import { temporaryDirectory } from "./support/run.js";

/** Listens on the socket of a daemon's command line, as a service manager would, and becomes it. */
const ACTIVATE = `
import os, socket, sys
how, *command = sys.argv[1:]
path = command[command.index("--socket") + 1]
os.makedirs(os.path.dirname(path), exist_ok=True)
kind = socket.SOCK_DGRAM if how == "datagrams" else socket.SOCK_STREAM
listener = socket.socket(socket.AF_UNIX, kind)
listener.bind(path + ".other" if how == "elsewhere" else path)
if how not in ("datagrams", "silent"):
    listener.listen()
count = 2 if how == "twice" else 1
for fd in range(3, 3 + count):
    os.dup2(listener.fileno(), fd)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execvp(command[0], command)
`;

function activated(how: string): string[] {
  return ["python3", "-c", ACTIVATE, how];
}

describe("a service manager that asks", () => {
  test("is told when the daemon serves, that it lives, and when it stops", async () => {
    const address = join(temporaryDirectory(), "notify");
    const told = await receiveDatagrams(address);
    const daemon = await startDaemon({ env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: "200000" } });
    await told.until("READY=1");
    await told.until("WATCHDOG=1", 3);
    expect(await daemon.stop()).toBe(0);
    await told.until("STOPPING=1");
    expect(told.all.at(-1)).toBe("STOPPING=1");
    expect(new Set(told.all)).toEqual(new Set(["READY=1", "WATCHDOG=1", "STOPPING=1"]));
  });

  test("hears of nothing that it did not ask this process for", async () => {
    const address = join(temporaryDirectory(), "notify");
    const told = await receiveDatagrams(address);
    const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" };
    const daemon = await startDaemon({ env });
    await daemon.stop();
    await told.until("STOPPING=1");
    expect(told.all).toEqual(["READY=1", "STOPPING=1"]);
  });

  test("may be gone: the daemon warns, and serves", async () => {
    const address = join(temporaryDirectory(), "nobody");
    const daemon = await startDaemon({ env: { NOTIFY_SOCKET: address } });
    await daemon.client.host.getHost({});
    const warning = daemon.logs.find(({ state }) => state === "READY=1");
    expect(warning).toMatchObject({ level: "warn", msg: "the service manager was not told" });
  });
});

describe("a socket that a service manager listens on", () => {
  test("is served, and stays when the daemon stops", async () => {
    const daemon = await startDaemon({ under: activated("once") });
    const { host } = await daemon.client.host.getHost({});
    expect(host?.daemonVersion).toBe("0.1.0");
    const serving = daemon.logs.find(({ msg }) => msg === "serving");
    expect(serving).toMatchObject({ listen: [`unix:${daemon.socket}`], pid: daemon.pid });
    expect(await daemon.stop()).toBe(0);
    expect(statSync(daemon.socket).isSocket()).toBe(true);
  });

  test("outlives the restart with fewer capabilities", async () => {
    const daemon = await startDaemon({ under: activated("once") });
    await daemon.client.host.getHost({});
    expect(readFileSync(`/proc/${daemon.pid}/status`, "utf8")).toMatch(/^NoNewPrivs:\t1$/m);
  });

  test("is left alone where it is another process's", async () => {
    const daemon = await startDaemon({ env: { LISTEN_PID: "1", LISTEN_FDS: "1" } });
    await daemon.client.host.getHost({});
    await daemon.stop();
    expect(() => statSync(daemon.socket)).toThrow("ENOENT");
  });

  test.each([
    ["elsewhere", "sock.other, but listen.unix.path is"],
    ["twice", "handed over 2 sockets"],
    ["datagrams", "no listening unix stream socket"],
    ["silent", "no listening unix stream socket"],
  ])("is refused where it is no such socket: %s", async (how, reason) => {
    const start = startDaemon({ under: activated(how) });
    const error = await start.then(
      () => expect.fail("served"),
      (cause: Error) => cause,
    );
    expect(error.message).toContain("ended with 2");
    expect(error.message).toContain(reason);
  });
});
