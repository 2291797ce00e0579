import { request } from "node:http";
import type { TestDaemon } from "../../support/daemon.js";
import { Exposition } from "./exposition.js";

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Where a daemon says that it serves metrics; undefined where it says nothing. */
export function metricsAddress({ logs }: TestDaemon): string | undefined {
  return logs.findLast(({ msg }) => msg === "serving")?.metrics as string | undefined;
}

/** Asks an HTTP server at "host:port" or "unix:/path". */
export function ask(address: string, path: string, method = "GET"): Promise<HttpAnswer> {
  const where = address.startsWith("unix:")
    ? { socketPath: address.slice("unix:".length) }
    : { host: address.split(":")[0], port: Number(address.split(":")[1]) };
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path, method, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => {
        resolve({
          status: answer.statusCode ?? 0,
          type: answer.headers["content-type"] ?? "",
          text,
        });
      });
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** The metrics of a daemon now. */
export async function scrape(daemon: TestDaemon): Promise<Exposition> {
  const { status, text } = await ask(metricsAddress(daemon) ?? "", "/metrics");
  if (status !== 200) throw new Error(`the scrape ended with ${status}`);
  return new Exposition(text);
}
