import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const UNITS = join(REPOSITORY, "deploy/systemd");

const SERVED = ["bpfmapd.socket", "bpfmapd.service"];

/** Targets that units depend on by default, and nothing in them: only the daemon's units run. */
const TARGETS = ["sysinit", "basic", "sockets", "shutdown", "multi-user"];

/**
 * Where Node and the code lie inside: not below /tmp or /home, which the unit hides from
 * the daemon. Everything else of the unit is as it is shipped.
 */
const DROP_IN = `[Service]
ExecStart=
ExecStart=/run/code/node /run/code/repository/dist/daemon/main.js serve
StandardError=append:LOG
Environment=BPFMAPD_AUDIT_FILE=/var/log/bpfmapd/audit.jsonl
WatchdogSec=20
TimeoutStopSec=5
`;

/** Becomes the first process of its own namespaces: mounts and process ids are not the host's. */
const BOOT = `
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/code/repository
mount --bind "$1" /run/code/repository
touch /run/code/node
mount --bind "$2" /run/code/node
export SYSTEMD_UNIT_PATH=$3 container=test
exec /lib/systemd/systemd --system --unit=bpfmapd.socket --log-target=console --show-status=no
`;

/** A systemd of its own, with the units of deploy/systemd and no others. */
export class SystemdHost {
  readonly #directory = mkdtempSync(join(tmpdir(), "bpfmapd-systemd-"));
  readonly #cgroup = join(cgroup2Mount(), `bpfmapd-test-${process.pid}`);
  readonly #process: ChildProcess;

  static async boot(): Promise<SystemdHost> {
    const host = new SystemdHost();
    try {
      const state = () => orNothing(() => host.show("bpfmapd.socket", "ActiveState"));
      while (!state().startsWith("active")) {
        if (host.#process.exitCode !== null) throw new Error(`systemd ended: ${host.log}`);
        await delay(100);
      }
    } catch (error) {
      await host.dispose();
      throw error;
    }
    return host;
  }

  private constructor() {
    const units = this.#writeUnits();
    mkdirSync(this.#cgroup);
    const unshare = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const boot = ["unshare", ...unshare, "--uts", "--ipc", "--cgroup", "bash", "-c", BOOT, "boot"];
    const enter = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"';
    this.#process = spawn(
      "sh",
      ["-c", enter, "sh", this.#cgroup, ...boot, REPOSITORY, process.execPath, units],
      { stdio: ["ignore", "ignore", "ignore"] },
    );
  }

  /** What the daemon has logged, and why it could not be started. */
  get log(): string {
    return readFileSync(join(this.#directory, "log"), { encoding: "utf8", flag: "a+" });
  }

  /** Where a client outside reaches a unix socket inside. */
  address(socket: string): string {
    return `unix:/proc/${this.#init}/root${socket}`;
  }

  /** A property of a unit, as `systemctl show` tells it. */
  show(unit: string, property: string): string {
    const show = ["systemctl", "show", "--property", property, "--value", unit];
    return this.run(...show).trim();
  }

  /** Runs a command inside. */
  run(...command: string[]): string {
    const enter = ["--target", this.#init, "--mount", "--pid", "--"];
    return execFileSync("nsenter", [...enter, ...command], { encoding: "utf8" });
  }

  async dispose(): Promise<void> {
    // A unit that is stopped takes its private temporary directory with it.
    if (this.#process.exitCode === null) orNothing(() => this.run("systemctl", "stop", ...SERVED));
    const exit = once(this.#process, "exit");
    // unshare takes the first process with it, and that one all others.
    if (this.#process.kill("SIGKILL")) await exit;
    for (let tries = 0; !removeCgroup(this.#cgroup) && tries < 100; tries++) await delay(50);
    rmSync(this.#directory, { recursive: true });
  }

  /** The first process inside, by its id outside. */
  get #init(): string {
    const { pid } = this.#process;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  }

  #writeUnits(): string {
    const units = join(this.#directory, "units");
    cpSync(UNITS, units, { recursive: true });
    for (const target of TARGETS) {
      writeFileSync(join(units, `${target}.target`), "[Unit]\nDefaultDependencies=no\n");
    }
    mkdirSync(join(units, "bpfmapd.service.d"));
    const dropIn = DROP_IN.replace("LOG", join(this.#directory, "log"));
    writeFileSync(join(units, "bpfmapd.service.d/test.conf"), dropIn);
    return units;
  }
}

function orNothing(ask: () => string): string {
  try {
    return ask();
  } catch {
    return "";
  }
}

function cgroup2Mount(): string {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const found = mounts.map((line) => line.split(" ")).find(([, , type]) => type === "cgroup2");
  if (found?.[1] === undefined) throw new Error("there is no cgroup2 to run systemd in");
  return found[1];
}

/** False while a process in it has not ended quite. */
function removeCgroup(directory: string): boolean {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeCgroup(join(directory, entry.name))) return false;
    }
    rmdirSync(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
