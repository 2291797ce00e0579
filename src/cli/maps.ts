import { BpfmapError, status } from "@bpfmapd/client";
import type { Map as BpfMap, ListMapsRequestSchema } from "@bpfmapd/client/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CliContext } from "./context.js";
import { describeMap, type MapArg } from "./grammar/map-arg.js";

type ListRequest = MessageInitShape<typeof ListMapsRequestSchema>;
type Detail = NonNullable<ListRequest["detail"]>;

const PAGE_SIZE = 1000;

/** All maps that the request asks for, page by page. */
export async function* listMaps(
  context: CliContext,
  request: Omit<ListRequest, "pageToken" | "$typeName" | "$unknown">,
): AsyncGenerator<BpfMap, void> {
  let pageToken = "";
  do {
    const page = await context.client.maps.listMaps(
      { pageSize: PAGE_SIZE, ...request, pageToken },
      context.call,
    );
    yield* page.maps;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/** The one map that the user named. */
export async function getMap(context: CliContext, map: MapArg, detail?: Detail): Promise<BpfMap> {
  const answer = await context.client.maps.getMap(
    { map: context.mapRef(map), ...(detail === undefined ? {} : { detail }) },
    context.call,
  );
  return answer.map!;
}

/**
 * The maps that the user named: as with bpftool's show and dump, all that have the
 * name. Fails with NOT_FOUND where there is none.
 */
export async function getMaps(
  context: CliContext,
  map: MapArg,
  detail?: Detail,
): Promise<BpfMap[]> {
  if (map.by !== "name") return [await getMap(context, map, detail)];
  // The kernel allows no other characters in names, so the glob is the name itself.
  const maps: BpfMap[] = [];
  if (/^[\w.]+$/.test(map.name)) {
    const filter = { nameGlob: map.name };
    for await (const found of listMaps(context, { filter, ...(detail && { detail }) })) {
      if (found.name === map.name) maps.push(found);
    }
  }
  if (maps.length === 0) {
    throw new BpfmapError(`there is no map named "${map.name}"`, {
      code: status.NOT_FOUND,
      reason: "MAP_NOT_FOUND",
    });
  }
  return maps;
}

/** How a message names a map whose record is known. */
export function nameOf(map: BpfMap): string {
  const id = describeMap({ by: "id", id: map.id });
  return map.name === "" ? id : `${id} (${map.name})`;
}
