import { BpfmapError, DEFAULT_ADDRESS, parseAddress, status } from "@bpfmapd/client";
import { describe, expect, it } from "vitest";

describe("parseAddress", () => {
  it.each([
    ["unix:/run/bpfmapd/bpfmapd.sock", "unix", "unix:/run/bpfmapd/bpfmapd.sock"],
    ["unix:///run/bpfmapd/bpfmapd.sock", "unix", "unix:/run/bpfmapd/bpfmapd.sock"],
    ["unix:/run/a b:c", "unix", "unix:/run/a b:c"],
    ["localhost:7443", "tcp", "dns:localhost:7443"],
    ["192.0.2.1:1", "tcp", "dns:192.0.2.1:1"],
    ["[::1]:65535", "tcp", "dns:[::1]:65535"],
    ["[fe80::1%eth0]:7443", "tcp", "dns:[fe80::1%eth0]:7443"],
    ["unix.example.org:7443", "tcp", "dns:unix.example.org:7443"],
    ["ipv4:7443", "tcp", "dns:ipv4:7443"],
  ])("takes %s", (address, kind, target) => {
    expect(parseAddress(address)).toEqual({ kind, target });
  });

  it("takes the default address", () => {
    expect(parseAddress(DEFAULT_ADDRESS).kind).toBe("unix");
  });

  it("takes a relative socket path as one below the working directory", () => {
    expect(parseAddress("unix:a.sock").target).toBe(`unix:${process.cwd()}/a.sock`);
  });

  it.each([
    ["", /expected/],
    ["unix:", /path is empty/],
    ["unix://", /absolute path/],
    ["unix://host/path", /absolute path/],
    ["/run/bpfmapd/bpfmapd.sock", /write "unix:\/run\/bpfmapd\/bpfmapd.sock"/],
    ["localhost", /expected/],
    ["localhost:", /expected/],
    [":7443", /expected/],
    ["::1:7443", /expected/],
    ["[::1]", /expected/],
    ["[localhost]:7443", /expected/],
    ["localhost:0", /port/],
    ["localhost:65536", /port/],
    ["localhost:http", /expected/],
    ["https://localhost:7443", /expected/],
  ])("refuses %j and says why", (address, why) => {
    const parse = () => parseAddress(address);
    expect(parse).toThrow(BpfmapError);
    expect(parse).toThrow(why);
    expect(parse).toThrow(expect.objectContaining({ code: status.INVALID_ARGUMENT }));
  });
});
