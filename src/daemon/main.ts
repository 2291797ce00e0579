#!/usr/bin/env node
import type { Logger } from "pino";
import { commandLine, type Flags } from "./command-line.js";
import { type Config, makeConfig, printConfig } from "./config.js";
import { CONFIG_VARIABLE, readEnvironment, unknownVariables } from "./config-environment.js";
import { readConfigFile } from "./config-file.js";
import { ExitCode, StartError } from "./exit-code.js";
import type { Role } from "./needed-capabilities.js";
import type { SettingLayer } from "./setting-layer.js";
import { daemonVersion } from "./version.js";

const version = daemonVersion();

/** Beside a daemon that serves maps on the same machine. */
const RELAY_DEFAULTS: SettingLayer = {
  values: { listen: { unix: { path: "/run/bpfmapd/relay.sock" } } },
  sourceOf: () => "the defaults of a relay",
};

const program = commandLine(
  {
    serve: (flags) => run("serve", readConfig(flags)),
    relay: (flags) => run("relay", readConfig(flags, RELAY_DEFAULTS)),
    checkConfig: (flags) => {
      readConfig(flags);
      console.log("The configuration is valid.");
    },
    showConfig: (flags) => process.stdout.write(printConfig(readConfig(flags))),
  },
  version,
);
program.parseAsync().catch(failStart);

/** The defaults, then the file over them, then the environment, then the flags over all. */
function readConfig({ configFile, settings }: Flags, ...defaults: SettingLayer[]): Config {
  const file = configFile ?? process.env[CONFIG_VARIABLE];
  const layers = file === undefined || file === "" ? [] : [readConfigFile(file)];
  return makeConfig([...defaults, ...layers, readEnvironment(process.env), settings]);
}

async function run(role: Role, config: Config): Promise<void> {
  // Only here: what looks at the configuration needs neither bpf(2) nor gRPC, and what
  // starts itself anew should have loaded little before.
  const { dropCapabilities } = await import("./drop-capabilities.js");
  dropCapabilities(config, role);
  const [start, { createLogger }, { ServiceManager }] = await Promise.all([
    starterOf(role),
    import("./logger.js"),
    import("./service-manager.js"),
  ]);
  const log = createLogger(config.log);
  endOnDefect(log);
  for (const variable of unknownVariables(process.env)) {
    log.warn({ variable }, `${variable} is no setting of the daemon and is not used`);
  }
  // Already now: who sees it serve may tell it to stop at once.
  const toldToStop = nextSignal();
  const daemon = await start(config, version, log);
  if (config.audit.file !== undefined) process.on("SIGHUP", () => daemon.reopen());
  const manager = new ServiceManager(log);
  manager.ready();
  const signal = await toldToStop;
  manager.stopping();
  log.info({ signal }, "stopping");
  // Whoever asks twice does not want to wait for the calls that still run.
  void nextSignal().then(() => process.exit(ExitCode.FAILED));
  await daemon.stop();
  log.info("stopped");
  process.exit(ExitCode.STOPPED);
}

/** How the program is started in a role, with what that needs and nothing else. */
async function starterOf(role: Role) {
  if (role === "serve") {
    const { Daemon } = await import("./daemon.js");
    return Daemon.start;
  }
  const { RelayDaemon } = await import("./relay-daemon.js");
  return RelayDaemon.start;
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ["SIGTERM", "SIGINT"] as const;
    const take = (signal: NodeJS.Signals) => {
      for (const other of signals) process.off(other, take);
      resolve(signal);
    };
    for (const signal of signals) process.on(signal, take);
  });
}

function failStart(error: unknown): void {
  if (error instanceof StartError) {
    console.error(`bpfmapd: ${error.message}`);
    process.exit(error.exitCode);
  }
  console.error("bpfmapd:", error);
  process.exit(ExitCode.FAILED);
}

/** A defect that no call can answer for: the state of the process is not known any more. */
function endOnDefect(log: Logger): void {
  const end = (error: unknown) => {
    log.fatal({ err: error }, "defect");
    process.exit(ExitCode.FAILED);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}
