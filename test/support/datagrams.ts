import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

/** Node has no unix datagrams. */
const RECEIVER = `
import json, socket, sys
address = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + address[1:] if address.startswith("@") else address)
print(json.dumps(None), flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
`;

export interface Datagrams {
  /** What has come so far. */
  readonly all: readonly string[];
  /** Resolves when this has come, so often. */
  until(text: string, times?: number): Promise<void>;
}

/** Receives datagrams at a unix address, a path or "@" and an abstract name, until the test ends. */
export async function receiveDatagrams(address: string): Promise<Datagrams> {
  const receiver = spawn("python3", ["-c", RECEIVER, address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    receiver.kill();
    await once(receiver, "exit");
  });
  const all: string[] = [];
  const lines = createInterface({ input: receiver.stdout });
  await once(lines, "line");
  lines.on("line", (line) => all.push(JSON.parse(line) as string));
  return {
    all,
    async until(text, times = 1) {
      while (all.filter((one) => one === text).length < times) await once(lines, "line");
    },
  };
}
