// Writes etcd's API to third_party/proto/etcd: the protos of the Go module go.etcd.io/etcd/api/v3,
// of the version that test/fleet/etcd/go.mod names, without what they import for others: the
// options of the HTTP gateway, of OpenAPI and of etcd's own storage versions. Options are not on
// the wire, so what is left is the same API.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
const MODULE = "go.etcd.io/etcd/api/v3";
const FILES = ["authpb/auth.proto", "etcdserverpb/rpc.proto", "mvccpb/kv.proto"];

const { dir, version } = downloaded();
for (const file of FILES) {
  const target = join(ROOT, "third_party/proto/etcd/api", file);
  mkdirSync(dirname(target), { recursive: true });
  const origin = `// From ${MODULE} ${version}, ${file}, by scripts/etcd-protos.mjs.\n`;
  writeFileSync(target, origin + stripped(readFileSync(join(dir, file), "utf8")));
}
copyFileSync(join(dir, "LICENSE"), join(ROOT, "third_party/proto/etcd/LICENSE"));

function downloaded() {
  const cwd = join(ROOT, "test/fleet/etcd");
  const args = ["mod", "download", "-json", MODULE];
  const { status, stdout, stderr, error } = spawnSync("go", args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`go mod download ${MODULE}: ${error ?? stderr + stdout}`);
  const { Dir, Version } = JSON.parse(stdout);
  return { dir: Dir, version: Version };
}

function stripped(proto) {
  return withoutBlocks(proto)
    .replace(/^ *option \(\w+\.\w+\) = [^;{]*;\n/gm, "")
    .replace(/ *\[ *\(versionpb\.\w+\) *= *"[^"]*" *\]/g, "")
    .replace(/^import "(?!etcd\/api\/(authpb|mvccpb)\/).*\n/gm, "")
    .replace(/^\/\/ for grpc-gateway\n/gm, "")
    .replace(/\{\s*\n\s*\}/g, "{}")
    .replace(/\n{3,}/g, "\n\n");
}

/** Without `option (name) = { … };`, whose braces may be nested. */
function withoutBlocks(proto) {
  const start = /^ *option \([\w.]+\) = \{/m.exec(proto);
  if (start === null) return proto;
  let end = start.index + start[0].length;
  for (let depth = 1; depth > 0; end++) {
    if (proto[end] === "{") depth++;
    if (proto[end] === "}") depth--;
  }
  const rest = proto.slice(end).replace(/^;?\n?/, "");
  return withoutBlocks(proto.slice(0, start.index) + rest);
}
