import { expect, test } from "vitest";
import { startDaemon } from "../support/daemon.js";
import { heldHash } from "./support/maps.js";

test("a daemon that was started at a low priority loads, counts and dumps as any other", async () => {
  const { client } = await startDaemon({ under: ["nice", "-n", "12"] });
  const map = await heldHash(client, "low", 100);
  expect(await map.count()).toMatchObject({ count: 100n });
  let sent = 0;
  for await (const { count } of map.dump().chunks()) sent += count;
  expect(sent).toBe(100);
});
