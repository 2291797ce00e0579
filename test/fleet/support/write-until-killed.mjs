/**
 * A process that writes to an embedded store as fast as it can, and says on its output what was
 * acknowledged, one JSON a line, until somebody kills it. Arguments: the directory, a number.
 */
import { writeSync } from "node:fs";
import { isAt, openEmbeddedStore, put, remove } from "#dist/fleet/store/index.js";

const [, , directory = "", round = "0"] = process.argv;
const store = await openEmbeddedStore({ directory, reserveBytes: 0 });
/** At once, and not when the event loop comes to it: what is said was acknowledged before. */
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
say({ opened: true });

const bytes = (text) => new Uint8Array(Buffer.from(text));

/** Two keys of one transaction that must stay equal, with a value that fills pages. */
async function pairs(writer) {
  for (let count = 0; ; count++) {
    const value = `${round}/${writer}/${count}/`.padEnd(200 + ((count * 797) % 20_000), "x");
    const { revision } = await store.transact({
      success: [
        put(`pair/${writer}/left`, bytes(value)),
        put(`pair/${writer}/right`, bytes(value)),
        ...(count % 3 === 0
          ? [remove(`pair/${writer}/odd`)]
          : [put(`pair/${writer}/odd`, bytes("1"))]),
      ],
    });
    say({ pair: writer, count, revision: `${revision}` });
  }
}

/** A counter by compare and swap, on which several writers race. */
async function counter() {
  for (;;) {
    const { entry } = await store.get("counter");
    const next = (entry === undefined ? 0 : Number(Buffer.from(entry.value).toString())) + 1;
    const { succeeded } = await store.transact({
      compare: [isAt("counter", entry?.modRevision ?? 0n)],
      success: [put("counter", bytes(`${next}`))],
    });
    if (succeeded) say({ counter: next });
  }
}

async function leases() {
  for (;;) {
    const { id } = await store.grantLease(3600);
    await store.transact({ success: [put(`leased/${id}`, bytes("1"), id)] });
    say({ lease: `${id}` });
    await store.revokeLease(id);
    say({ revoked: `${id}` });
  }
}

async function compactions() {
  let { revision: last } = await store.get("counter");
  for (;;) {
    const { revision } = await store.get("counter");
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (revision === last) continue;
    await store.compact(revision);
    last = revision;
    say({ compacted: `${revision}` });
  }
}

await Promise.all([pairs(0), pairs(1), pairs(2), counter(), counter(), leases(), compactions()]);
