import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { sendDatagram } from "#dist/kernel/index.js";
import { receiveDatagrams } from "../support/datagrams.js";

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bpfmapd-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

it("arrives at a path and at an abstract name, each whole", async () => {
  const long = "x".repeat(20_000);
  for (const address of [join(temporaryDirectory(), "s"), `@bpfmapd-test-${process.pid}`]) {
    const received = await receiveDatagrams(address);
    sendDatagram(address, "READY=1");
    sendDatagram(address, long);
    await received.until(long);
    expect(received.all).toEqual(["READY=1", long]);
  }
});

it("tells where nobody listens, and what no address can be", () => {
  const nowhere = join(temporaryDirectory(), "s");
  expect(() => sendDatagram(nowhere, "READY=1")).toThrow("sendto: ENOENT");
  expect(() => sendDatagram(`/${"a".repeat(107)}`, "")).toThrow("sendto: ENAMETOOLONG");
});
