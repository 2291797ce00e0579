import { randomBytes } from "node:crypto";
import { MapType } from "@bpfmapd/client/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../../support/daemon.js";
import { type SocketProxy, startProxy } from "../../watch/support/socket-proxy.js";
import { type Case, readCases, type Step } from "./case-file.js";
import { produceRecords } from "./produce.js";
import { Runner } from "./runner.js";

type Pairs = readonly (readonly [key: string, value: string])[];
type Names = Readonly<Record<string, unknown>>;

/** A fleet of its own, for the cases about fleets. */
const FLEET = [
  ...["--fleet", "--host-id", "conformance", "--label", "suite=conformance"],
  ...["--store-directory", "{directory}/store"],
];

/** Every case through one client, whose runner is started by `command`. */
export function conformanceSuite(client: string, command: readonly string[]): void {
  describe(client, () => {
    let daemon: TestDaemon;
    let proxy: SocketProxy;
    let runner: Runner;
    beforeAll(async () => {
      daemon = await startDaemon({ args: ["--max-message-bytes", String(1 << 20), ...FLEET] });
      proxy = await startProxy(`${daemon.directory}/proxy.sock`, daemon.socket);
      runner = new Runner(command, `unix:${proxy.path}`);
    });
    afterAll(async () => {
      await runner?.close();
      await proxy?.close();
      await daemon?.dispose();
    });

    const harness: Record<string, (args: Names, names: Names) => unknown> = {
      cut_connection: () => proxy.cut(),
      restart_daemon: () => daemon.restart(),
      kill_daemon: async () => {
        await daemon.kill();
        await daemon.restart();
      },
      elsewhere: async ({ put, delete: keys }, { id }) => {
        const map = daemon.client.map({ id: id as number });
        if (put) await map.updateMany(pairs(put as Pairs));
        if (keys) await map.deleteMany((keys as string[]).map(bytes));
      },
      produce: ({ records }, { id }) =>
        produceRecords(id as number, (records as string[]).map(bytes)),
    };

    async function doStep(step: Step, names: Names): Promise<void> {
      const [[name, args]] = Object.entries(step.do) as [[string, Names]];
      const own = harness[name];
      if (own) {
        await own(args, names);
        return;
      }
      const given = names.id === undefined ? {} : { map: { id: names.id } };
      const { answer, error } = await runner.do(name, { ...given, ...fill(args, names) });
      if (step.fails) {
        expect(error, `${name} should fail, but answered ${JSON.stringify(answer)}`).toBeDefined();
        expect(error).toMatchObject(fill(step.fails, names));
        return;
      }
      expect(error, `${name} failed`).toBeUndefined();
      // Those of a hash have no order of their own; those in JSON are asked for in one.
      if (name === "dump" && Array.isArray(answer?.elements)) answer.elements.sort();
      expect(answer).toMatchObject(fill(step.answers ?? {}, names));
    }

    for (const [file, cases] of readCases()) {
      describe(file, () => {
        it.each(cases)("$case", async (each) => {
          if (runner.hasEnded) runner = new Runner(command, `unix:${proxy.path}`);
          const names = await stage(daemon, each);
          for (const [index, step] of each.steps.entries()) {
            await doStep(step, names).catch((error: Error) => {
              error.message = `step ${index + 1}, ${Object.keys(step.do)[0]}: ${error.message}`;
              throw error;
            });
          }
        });
      });
    }
  });
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function pairs(elements: Pairs): [Buffer, Buffer][] {
  return elements.map(([key, value]) => [bytes(key), bytes(value)]);
}

/** Makes a case's map, and says what the steps may call by name. */
async function stage(daemon: TestDaemon, each: Case): Promise<Names> {
  const { maps, host } = daemon.client;
  const bootId = (await host.getHost({})).host?.bootId;
  // Names of maps are the host's, where other suites run at the same time.
  const name = `c${randomBytes(5).toString("hex")}`;
  const names = {
    bpffs: daemon.bpffs,
    boot_id: bootId,
    new: `${name}n`,
    directory: daemon.directory,
    // Records: half of a page, and more than a page.
    half: "ab".repeat(2048),
    large: "ab".repeat(4096),
  };
  if (!each.map) return names;
  const { type, elements, ...spec } = each.map;
  const pin = `${daemon.bpffs}/${name}`;
  const { map } = await maps.createMap({
    spec: {
      type: MapType[type as keyof typeof MapType],
      name,
      keySize: spec.key_size,
      valueSize: spec.value_size,
      maxEntries: spec.max_entries,
      flags: spec.flags,
    },
    hold: { name },
    pinPath: pin,
  });
  if (elements.length > 0) {
    await daemon.client.map({ held: name }).load(pairs(elements));
  }
  return { ...names, id: map?.id, name, hold: name, pin };
}

/** Puts what the names stand for in place of `$name`, anywhere in a text. */
function fill<T>(value: T, names: Names): T {
  if (typeof value === "string") {
    const whole = /^\$(\w+)$/.exec(value);
    if (whole) return known(names, whole[1] as string) as T;
    return value.replace(/\$(\w+)/g, (_, name: string) => String(known(names, name))) as T;
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, names)) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, fill(item, names)]);
  return Object.fromEntries(entries) as T;
}

function known(names: Names, name: string): unknown {
  if (names[name] === undefined) throw new Error(`the case has no $${name}`);
  return names[name];
}
