import { munmap } from "./libc.js";

/** Gives mapped addresses back when nothing refers to the view of them any more. */
export function unmapWithLastView(view: ArrayBuffer, address: number): void {
  addresses.register(view, { address, length: view.byteLength });
}

const addresses = new FinalizationRegistry<{ address: number; length: number }>(
  ({ address, length }) => {
    munmap(address, length);
  },
);
