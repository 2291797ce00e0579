import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { makeConfig } from "#dist/daemon/config.js";
import { readConfigFile } from "#dist/daemon/config-file.js";
import { settingNames, variableOf } from "#dist/daemon/setting-names.js";
import { configFile, runDaemon } from "./support/run.js";

function show(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = runDaemon(["config", "show", ...args], env);
  if (code !== 0) throw new Error(stderr);
  return parse(stdout);
}

function literally(text: string): string {
  return text.replace(/[^\w]/g, "\\$&");
}

describe("the configuration", () => {
  test("has a default for everything", () => {
    expect(show([])).toMatchObject({
      listen: {
        unix: { path: "/run/bpfmapd/bpfmapd.sock", directory_mode: "0750", mode: "0660" },
        tcp: [],
      },
      bpffs: { roots: ["/sys/fs/bpf"], mount: true, hold_directory: "/sys/fs/bpf/bpfmapd" },
      limits: { max_message_bytes: 16 * 1024 * 1024 },
      log: { level: "info", format: "json" },
      shutdown_grace_ms: 10_000,
    });
  });

  test("comes from the file, the environment over it, and flags over both", () => {
    const file = configFile(`
      listen: { unix: { path: /file.sock, mode: 0600, group: "7" } }
      log: { level: error, format: pretty }
      limits: { max_scans: 3 }
    `);
    const env = { BPFMAPD_LISTEN_UNIX_PATH: "/env.sock", BPFMAPD_LOG_LEVEL: "warn" };
    const shown = show(["--config", file, "--log-level", "debug"], env);
    expect(shown).toMatchObject({
      listen: { unix: { path: "/env.sock", mode: "0600", group: "7", directory_mode: "0750" } },
      log: { level: "debug", format: "pretty" },
      limits: { max_scans: 3 },
    });
  });

  test("takes its file from BPFMAPD_CONFIG where no flag says another", () => {
    const [one, two] = [configFile("log: {level: warn}"), configFile("log: {level: error}")];
    expect(show([], { BPFMAPD_CONFIG: one }).log.level).toBe("warn");
    expect(show(["--config", two], { BPFMAPD_CONFIG: one }).log.level).toBe("error");
  });

  test("is printed as a file that gives the same", () => {
    const args = ["--bpffs-root", "/a", "--bpffs-root", "/b", "--socket-mode", "0600"];
    const known = ["--policy", "/policy.yaml", "--jwks", "/jwks.json"];
    const tcp = ["--tcp", "127.0.0.1:7070", "--plaintext", "--max-message-bytes", "1MiB", ...known];
    const first = runDaemon(["config", "show", ...args, ...tcp]).stdout;
    expect(runDaemon(["config", "show", "--config", configFile(first)]).stdout).toBe(first);
    expect(parse(first).bpffs).toMatchObject({ roots: ["/a", "/b"], hold_directory: "/a/bpfmapd" });
  });

  test("takes lists and listeners from the environment", () => {
    const shown = show([], {
      BPFMAPD_BPFFS_ROOTS: "/a, /b",
      BPFMAPD_BPFFS_MOUNT: "false",
      BPFMAPD_ACCESS_POLICY: "/policy.yaml",
      BPFMAPD_ACCESS_TOKENS_JWKS: "/jwks.json",
      BPFMAPD_LISTEN_TCP: '[{address: "[::1]:7070", plaintext: true}]',
    });
    expect(shown.bpffs).toMatchObject({ roots: ["/a", "/b"], mount: false });
    expect(shown.listen.tcp).toEqual([{ address: "[::1]:7070", plaintext: true }]);
  });

  test("can be set whole by variables: each setting has one, and no other is named", () => {
    const leaves = (value: unknown, path: string[]): string[] => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return [path.join(".")];
      }
      return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
    };
    const settings = [
      ...leaves(makeConfig([]), []),
      // These have no default.
      ...["listen.unix.group", "metrics.listen", "tracing.otlp_endpoint", "access.policy"],
      ...["access.tokens.jwks", "access.tokens.issuer", "access.tokens.audience", "audit.file"],
      ...[
        "fleet.advertise",
        "fleet.host_id",
        "fleet.host_directory",
        "fleet.labels",
        "fleet.relay_id",
      ],
      ...["ca", "cert", "key", "crl", "min_version"].map((one) => `fleet.tls.${one}`),
      ...["ca", "cert", "key", "user", "password_file"].map((one) => `fleet.store.etcd.${one}`),
    ];
    expect(settingNames.map(({ path }) => path.join(".")).sort()).toEqual(settings.sort());
    expect(settingNames.map(variableOf)).toContain("BPFMAPD_LISTEN_UNIX_DIRECTORY_MODE");
  });

  test("takes the OTLP receiver from its common variable too, under the daemon's own", () => {
    const common = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://common:4318" };
    expect(show([], common).tracing.otlp_endpoint).toBe("http://common:4318");
    const own = { ...common, BPFMAPD_TRACING_OTLP_ENDPOINT: "http://own:4318" };
    expect(show([], own).tracing.otlp_endpoint).toBe("http://own:4318");
    const { stderr } = runDaemon(["config", "check"], { OTEL_EXPORTER_OTLP_ENDPOINT: "nowhere" });
    expect(stderr).toContain("tracing.otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) must be a URL");
  });

  test.each([
    ["log: {level: loud}", "log.level", "must be one of trace, debug, info, warn, error, fatal"],
    ["log: {colour: true}", "log.colour", "is no setting"],
    ["log: loud", "log", 'must be settings by name, not "loud"'],
    ["listen: {unix: {path: 7}}", "listen.unix.path", "must be text, not 7"],
    ["listen: {tcp: 7}", "listen.tcp", "must be a list, not 7"],
    ["listen: {unix: {mode: 0999}}", "listen.unix.mode", "must be three octal digits"],
    ["listen: {unix: {mode: rw}}", "listen.unix.mode", 'not "rw"'],
    ["listen: {unix: {path: here.sock}}", "listen.unix.path", "must be an absolute path"],
    ["listen: {unix: {path: /a/../b}}", "listen.unix.path", "must be an absolute path"],
    [`listen: {unix: {path: /${"x".repeat(107)}}}`, "listen.unix.path", "107 bytes"],
    ["listen: {tcp: [{address: here}]}", "listen.tcp[0].address", 'must be "host:port"'],
    ['listen: {tcp: [{address: "h:99999"}]}', "listen.tcp[0].address", 'must be "host:port"'],
    ['listen: {tcp: [{address: "127.0.0.1:1"}]}', "listen.tcp[0].tls", "is missing"],
    [
      'listen: {tcp: [{address: "0.0.0.0:1", plaintext: true}]}',
      "listen.tcp[0].plaintext",
      "only allowed on 127.0.0.0/8",
    ],
    [
      'listen: {tcp: [{address: "localhost.example:1", plaintext: true}]}',
      "listen.tcp[0].plaintext",
      "only allowed on 127.0.0.0/8",
    ],
    [
      'listen: {tcp: [{address: "[::2]:1", plaintext: true}]}',
      "listen.tcp[0].plaintext",
      "only allowed on 127.0.0.0/8",
    ],
    [
      'listen: {tcp: [{address: "127.0.0.1:1", plaintext: true, tls: {cert: /c, key: /k}}]}',
      "listen.tcp[0].plaintext",
      "excludes tls",
    ],
    ['listen: {tcp: [{address: "h:1", tls: {cert: /c}}]}', "listen.tcp[0].tls.key", "is missing"],
    ["bpffs: {roots: []}", "bpffs.roots", "at least one"],
    ["bpffs: {roots: [relative]}", "bpffs.roots[0]", "must be an absolute path"],
    ["bpffs: {mount: maybe}", "bpffs.mount", "must be true or false"],
    ["limits: {max_message_bytes: 1}", "limits.max_message_bytes", "from 64KiB to 1GiB"],
    ["limits: {max_message_bytes: 2 GB}", "limits.max_message_bytes", 'not "2 GB"'],
    ["limits: {max_scans: 0}", "limits.max_scans", "a whole number from 1"],
    ["limits: {scan_threads: 1.5}", "limits.scan_threads", "a whole number"],
    ['metrics: {listen: "0.0.0.0:9460"}', "metrics.listen", "only allowed on 127.0.0.0/8"],
    ["metrics: {listen: here}", "metrics.listen", 'must be "host:port"'],
    ['metrics: {listen: "unix:here.sock"}', "metrics.listen", "must be an absolute path"],
    ["metrics: {listen: true}", "metrics.listen", "must be text"],
    ["metrics: {maps: stats}", "metrics.maps", "must be a list"],
    ['metrics: {maps: [""]}', "metrics.maps[0]", "must not be empty"],
    ["metrics: {max_maps: 0}", "metrics.max_maps", "a whole number from 1"],
    ["metrics: {maps_interval_ms: 10}", "metrics.maps_interval_ms", "a whole number from 1000"],
    ["tracing: {otlp_endpoint: collector}", "tracing.otlp_endpoint", "must be a URL"],
    ['tracing: {otlp_endpoint: "ftp://h"}', "tracing.otlp_endpoint", "must be a URL"],
    ["shutdown_grace_ms: -1", "shutdown_grace_ms", "a whole number from 0"],
    ["shutdown_grace_ms: {}", "shutdown_grace_ms", "a whole number from 0"],
  ])("is refused whole for %s", (text, path, message) => {
    const file = configFile(text);
    expect(() => makeConfig([readConfigFile(file)])).toThrow(
      expect.objectContaining({
        name: "StartError",
        exitCode: 2,
        message: expect.stringMatching(
          new RegExp(`${literally(`  ${path} (${file}) `)}.*${literally(message)}`),
        ),
      }),
    );
  });

  test("names everything that is wrong and where it came from", () => {
    const file = configFile("log: {level: loud, format: fancy}");
    const env = { BPFMAPD_LIMITS_MAX_SCANS: "many", BPFMAPD_LOG_LEVEL: "silent" };
    const args = ["config", "check", "--config", file, "--socket", "x"];
    const { code, stdout, stderr } = runDaemon(args, env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("log.level (BPFMAPD_LOG_LEVEL) must be");
    expect(stderr).toContain(`log.format (${file}) must be`);
    expect(stderr).toContain("limits.max_scans (BPFMAPD_LIMITS_MAX_SCANS) must be");
    expect(stderr).toContain("listen.unix.path (--socket) must be");
  });

  test.each([
    ["a: b: c", "Nested mappings"],
    ["log: {level: info}\nlog: {level: warn}", "keys must be unique"],
    ["- a", "it must have settings by name"],
  ])("is refused where the file is not what a file must be: %j", (text, message) => {
    const file = configFile(text);
    expect(() => readConfigFile(file)).toThrow(`${file} is no configuration file: `);
    expect(() => readConfigFile(file)).toThrow(message);
  });

  test("may be empty, but must be there", () => {
    const check = (file: string) => runDaemon(["config", "check", "--config", file]);
    expect(check(configFile("# nothing\n"))).toMatchObject({
      code: 0,
      stdout: "The configuration is valid.\n",
    });
    const missing = check("/nowhere/config.yaml");
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("/nowhere/config.yaml");
  });
});

describe("the command line", () => {
  test("tells its version and helps", () => {
    expect(runDaemon(["--version"])).toMatchObject({ code: 0, stdout: "0.1.0\n" });
    expect(runDaemon(["serve", "--help"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("--socket <path>"),
    });
  });

  test.each([
    [["--nope"], "unknown option '--nope'"],
    [["--plaintext"], "are about --tcp"],
    [["--tls-cert", "/c"], "are about --tcp"],
    [["serve", "maps"], "too many arguments"],
    [["config", "burn"], "unknown command"],
  ])("refuses %j with exit code 2", (args, message) => {
    const { code, stderr } = runDaemon(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
