import type { Verb } from "../verb.js";
import { canI } from "./can-i.js";
import { clear } from "./clear.js";
import { count } from "./count.js";
import { create } from "./create.js";
import { deleteVerb } from "./delete.js";
import { dump } from "./dump.js";
import { eventPipe } from "./event-pipe.js";
import { exportVerb } from "./export.js";
import { probe } from "./feature.js";
import { fleetCall } from "./fleet-call.js";
import { fleetHosts } from "./fleet-hosts.js";
import { fleetRollout } from "./fleet-rollout.js";
import { fleetSum } from "./fleet-sum.js";
import { fleetWatch } from "./fleet-watch.js";
import { getnext } from "./getnext.js";
import { hold, keepalive, release } from "./hold.js";
import { importVerb } from "./import.js";
import { load } from "./load.js";
import { lookupVerb, peek } from "./lookup.js";
import { freeze, pin, unpin } from "./pin.js";
import { dequeue, pop } from "./pop.js";
import { recordsVerb } from "./records.js";
import { schema } from "./schema.js";
import { setDelete } from "./set-delete.js";
import { setGet } from "./set-get.js";
import { setList } from "./set-list.js";
import { setPatch } from "./set-patch.js";
import { setPut } from "./set-put.js";
import { setStatus } from "./set-status.js";
import { list, show } from "./show.js";
import { sum } from "./sum.js";
import { top } from "./top.js";
import { enqueue, push, update } from "./update.js";
import { watch } from "./watch.js";
import { writeRecords } from "./write-records.js";

/** Verbs take options of their own kinds; commander gives each what it declared. */
// biome-ignore lint/suspicious/noExplicitAny: each verb's run fits its own addOptions.
type AnyVerb = Verb<any>;

/**
 * The verbs of `bpftool map`, in the order of the table in its map.c: it decides which
 * verb a prefix stands for. "help" has its place in it too; see words.ts.
 */
export const BPFTOOL_VERBS: readonly AnyVerb[] = [
  show,
  list,
  dump,
  update,
  lookupVerb,
  getnext,
  deleteVerb,
  pin,
  eventPipe,
  create,
  peek,
  push,
  enqueue,
  pop,
  dequeue,
  freeze,
];

/** Verbs that bpftool does not have; after its own, so that no prefix changes its meaning. */
export const OWN_VERBS: readonly AnyVerb[] = [
  load,
  clear,
  count,
  hold,
  release,
  keepalive,
  unpin,
  exportVerb,
  importVerb,
  watch,
  top,
  recordsVerb,
  writeRecords,
  schema,
  sum,
];

/** The verbs of `bpftool feature`. */
export const FEATURE_VERBS: readonly AnyVerb[] = [probe];

/** What is done with a fleet of hosts. */
export const FLEET_VERBS: readonly AnyVerb[] = [
  fleetHosts,
  fleetCall,
  fleetSum,
  fleetWatch,
  fleetRollout,
];

/** What is done with the map sets of a fleet. */
export const SET_VERBS: readonly AnyVerb[] = [
  setPut,
  setPatch,
  setGet,
  setList,
  setDelete,
  setStatus,
];

/** Questions about the daemon's policy. */
export const AUTH_VERBS: readonly AnyVerb[] = [canI];
