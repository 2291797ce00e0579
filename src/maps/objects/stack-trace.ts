import type { KernelSymbols } from "../../kernel/index.js";
import type { ObjectValue, StackFrame } from "../object-ref.js";

/** `struct bpf_stack_build_id` of include/uapi/linux/bpf.h. */
const BUILD_ID_FRAME = 32;
const BUILD_ID_VALID = 1;
const BUILD_ID_ADDRESS = 2;
const FIRST_KERNEL_ADDRESS = 1n << 63n;

/** Reads values of STACK_TRACE; the kernel fills what a trace does not need with zeros. */
export function stackTraceDecoder(
  hasBuildIds: boolean,
  symbols: KernelSymbols | undefined,
): (value: Buffer) => ObjectValue {
  const frames = hasBuildIds ? buildIdFrames : addressFrames;
  return (value) => ({ kind: "stackTrace", frames: [...frames(value, symbols)] });
}

function* addressFrames(value: Buffer, symbols: KernelSymbols | undefined): Generator<StackFrame> {
  for (let at = 0; at < value.length; at += 8) {
    const address = value.readBigUInt64LE(at);
    if (address === 0n) return;
    yield addressFrame(address, symbols);
  }
}

function* buildIdFrames(value: Buffer, symbols: KernelSymbols | undefined): Generator<StackFrame> {
  for (let at = 0; at < value.length; at += BUILD_ID_FRAME) {
    const status = value.readInt32LE(at);
    const place = value.readBigUInt64LE(at + 24);
    if (status === BUILD_ID_VALID) {
      const buildId = Uint8Array.from(value.subarray(at + 4, at + 24));
      yield { location: { kind: "buildId", buildId, offset: place } };
    } else if (status === BUILD_ID_ADDRESS) {
      yield addressFrame(place, symbols);
    } else {
      return;
    }
  }
}

function addressFrame(address: bigint, symbols: KernelSymbols | undefined): StackFrame {
  const location = { kind: "address", address } as const;
  const found = address < FIRST_KERNEL_ADDRESS ? undefined : symbols?.resolve(address);
  if (!found) return { location };
  return { location, symbol: found.name, symbolOffset: found.offset, module: found.module };
}
