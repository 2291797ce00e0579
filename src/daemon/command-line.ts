import { Command, Option } from "commander";
import { sourceAt } from "./config-environment.js";
import { ExitCode } from "./exit-code.js";
import { type SettingLayer, setAt } from "./setting-layer.js";
import { flagOf, type SettingName, settingNames } from "./setting-names.js";

/** What the command line asks for. */
export interface Commands {
  serve(flags: Flags): Promise<void>;
  relay(flags: Flags): Promise<void>;
  checkConfig(flags: Flags): void;
  showConfig(flags: Flags): void;
}

/** What the flags say. */
export interface Flags {
  /** The configuration file. */
  readonly configFile: string | undefined;
  readonly settings: SettingLayer;
}

type Values = Record<string, unknown>;

/** The daemon's command line. */
export function commandLine(commands: Commands, version: string): Command {
  const program = new Command("bpfmapd")
    .description("Serves the eBPF maps of this host over gRPC.")
    .version(version)
    .helpCommand(false)
    // Set before the commands are made, which take it over.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : ExitCode.CONFIGURATION))
    .enablePositionalOptions();
  const serve = program
    .command("serve", { isDefault: true })
    .description("serve until SIGTERM or SIGINT (the default command)")
    .action(() => commands.serve(readFlags(serve)));
  withSettings(serve);

  const relay = program
    .command("relay")
    .description("be a relay of a fleet until SIGTERM or SIGINT: serve controllers and hosts")
    .action(() => commands.relay(readFlags(relay)));
  withSettings(relay);

  const config = program
    .command("config")
    .description("look at the configuration")
    .helpCommand(false);
  const check = config
    .command("check")
    .description("tell whether the configuration is valid")
    .action(() => commands.checkConfig(readFlags(check)));
  const show = config
    .command("show")
    .description("print the configuration in force, with its defaults")
    .action(() => commands.showConfig(readFlags(show)));
  withSettings(check);
  withSettings(show);
  return program;
}

function withSettings(command: Command): void {
  command.option("--config <file>", "configuration file, YAML (BPFMAPD_CONFIG)");
  for (const name of settingNames) {
    if (name.flag === undefined) continue;
    const option = new Option(name.flag, name.help);
    if (name.form === "list")
      option.argParser((value, list?: string[]) => [...(list ?? []), value]);
    command.addOption(option);
  }
  command
    .option("--tcp <address>", "serve on TCP too, at host:port; replaces the file's listeners")
    .option("--tls-cert <file>", "certificate chain for --tcp, PEM")
    .option("--tls-key <file>", "private key for --tcp, PEM")
    .option("--tls-client-ca <file>", "ask clients of --tcp for a certificate that this one signed")
    .option("--tls-client-crl <file>", "certificates of clients of --tcp that were revoked, PEM")
    .option("--plaintext", "serve --tcp without TLS; on loopback addresses only");
}

function readFlags(command: Command): Flags {
  const given: Values = command.opts();
  const values = {};
  const sources = new Map<string, string>();
  for (const name of settingNames) {
    const value = given[optionName(name)];
    if (value === undefined) continue;
    setAt(values, name.path, value);
    sources.set(name.path.join("."), flagOf(name) ?? "");
  }
  const listener = tcpListener(command, given);
  if (listener !== undefined) {
    setAt(values, ["listen", "tcp"], [listener]);
    sources.set("listen.tcp", "--tcp");
  }
  return {
    configFile: given.config as string | undefined,
    settings: { values, sourceOf: (path) => sourceAt(sources, path) },
  };
}

function tcpListener(command: Command, given: Values): Values | undefined {
  const { tcp, tlsCert, tlsKey, tlsClientCa, tlsClientCrl, plaintext } = given;
  const clients = { client_ca: tlsClientCa, client_crl: tlsClientCrl };
  const tls = dropUndefined({ cert: tlsCert, key: tlsKey, ...clients });
  const hasTls = Object.keys(tls).length > 0;
  if (tcp === undefined) {
    if (hasTls || plaintext) command.error("error: --tls-* and --plaintext are about --tcp");
    return undefined;
  }
  return dropUndefined({ address: tcp, tls: hasTls ? tls : undefined, plaintext });
}

/** Commander's name of an option: "--socket-mode <mode>" is socketMode. */
function optionName(name: SettingName): string {
  return name.flag === undefined ? "" : new Option(name.flag).attributeName();
}

function dropUndefined(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
