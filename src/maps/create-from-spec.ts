import { closeFd, KernelError, mapCreate } from "../kernel/index.js";
import type { MapHost } from "./map-host.js";
import type { MapSpec } from "./map-spec.js";
import type { OpenMap } from "./open-map.js";
import { openMap } from "./resolve.js";
import { btfOf } from "./spec-btf.js";
import { explainCreateFailure } from "./spec-check.js";

/**
 * Makes the map of a spec that has been checked; it lives as long as the answer is open.
 *
 * @param field path of the spec in the request
 */
export async function createFrom(host: MapHost, spec: MapSpec, field: string): Promise<OpenMap> {
  const template = await openTemplate(host, spec, field);
  try {
    return host.adopt(makeMap(spec, template, field));
  } catch (error) {
    if (error instanceof KernelError)
      throw explainCreateFailure(error, spec, host.capabilities, field);
    throw error;
  } finally {
    template?.close();
  }
}

function makeMap(spec: MapSpec, template: OpenMap | undefined, field: string): number {
  const btf = btfOf(spec, field);
  try {
    return mapCreate({ ...spec, ...btf, innerMapFd: template?.fd });
  } finally {
    if (btf.btfFd !== undefined) closeFd(btf.btfFd);
  }
}

function openTemplate(host: MapHost, spec: MapSpec, field: string): Promise<OpenMap | undefined> {
  if (spec.innerMap) return openMap(host, spec.innerMap, `${field}.inner_map`);
  if (spec.innerMapSpec) return createFrom(host, spec.innerMapSpec, `${field}.inner_map_spec`);
  return Promise.resolve(undefined);
}
