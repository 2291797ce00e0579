import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ArenaMapMemory, KernelError, objPin, pageSize } from "#dist/kernel/index.js";
import { testBpffs } from "./support/bpffs.js";
import { testMap } from "./support/programs.js";

const MMAPABLE = 1 << 10;
const SEGV_ON_FAULT = 1 << 17;
const ARENA = { type: 33, keySize: 0, valueSize: 0, maxEntries: 16 };

function open(fd: number): ArenaMapMemory {
  const memory = ArenaMapMemory.open(fd);
  onTestFinished(() => memory.unmap());
  return memory;
}

/** Maps the arena in a process that lives as long as the test, and writes to byte 100. */
async function writtenByAnotherProcess(fd: number, text: string): Promise<void> {
  const pinned = join(testBpffs(), "arena");
  objPin(pinned, fd);
  const face = new URL("../../dist/kernel/index.js", import.meta.url).href;
  const script = `
    import(${JSON.stringify(face)}).then(({ ArenaMapMemory, objGet }) => {
      const memory = ArenaMapMemory.open(objGet(${JSON.stringify(pinned)}));
      memory.write(100, Buffer.from(${JSON.stringify(text)}));
      console.log("ready");
      setInterval(() => {}, 1000);
    });
  `;
  const other = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void other.kill("SIGKILL"));
  await once(other.stdout, "data");
}

describe("the memory of an arena", () => {
  it("keeps what is written, page by page, for whoever maps it next", () => {
    const fd = testMap({ ...ARENA, flags: MMAPABLE });
    const first = open(fd);
    expect(first.size).toBe(16 * pageSize());
    const text = Buffer.from("over the edge");
    first.write(pageSize() - 4, text);
    first.write(0, new Uint8Array(0));
    first.unmap();
    expect(() => first.read(0, 1)).toThrow("not mapped any more");
    const second = open(fd);
    expect(second.read(pageSize() - 4, text.length)).toEqual(text);
    expect(second.read(15 * pageSize(), 4)).toEqual(Buffer.alloc(4));
    expect(() => second.read(16 * pageSize() - 1, 2)).toThrow("are not in 65536");
  });

  it("is found where another process has mapped it", async () => {
    // Addresses are random: now and then this process has something else at such a place.
    for (let attempt = 1; ; attempt++) {
      const fd = testMap({ ...ARENA, flags: MMAPABLE, maxEntries: 23 });
      await writtenByAnotherProcess(fd, "from afar");
      try {
        expect(open(fd).read(100, 9).toString()).toBe("from afar");
        return;
      } catch (error) {
        if (!(error instanceof KernelError && error.errno === "EBUSY") || attempt === 5)
          throw error;
      }
    }
  });

  it("lies at the address that the map names", () => {
    const mapExtra = 0x1000_0000_0000n;
    const memory = open(testMap({ ...ARENA, flags: MMAPABLE, mapExtra }));
    memory.write(8, Uint8Array.of(1, 2, 3));
    expect([...memory.read(8, 3)]).toEqual([1, 2, 3]);
  });

  it("says which pages are not there instead of ending the process", () => {
    const memory = open(testMap({ ...ARENA, flags: MMAPABLE | SEGV_ON_FAULT }));
    expect(() => memory.read(0, 8)).toThrow("process_vm_readv: EFAULT");
    expect(() => memory.write(0, Uint8Array.of(1))).toThrow("process_vm_writev: EFAULT");
  });

  it("is not looked for in other maps", () => {
    const array = testMap({ type: 2, keySize: 4, valueSize: 8, maxEntries: 1, flags: MMAPABLE });
    expect(() => ArenaMapMemory.open(array)).toThrow("mmap: EINVAL");
  });
});
