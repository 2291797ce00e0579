import { compileGlob, compilePathGlob } from "../../maps/index.js";
import type { MapFacts } from "./map-facts.js";
import type { MapsDocument } from "./policy-schema.js";

/** Labels that maps get from the folder that they are pinned in, however deep. */
export interface FolderLabels {
  readonly folder: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Chooses maps as a rule says. */
export interface MapSelector {
  selects(map: MapFacts): boolean;
  /** Whether pins make a difference, which cost a walk over bpffs to find. */
  readonly looksAtPins: boolean;
}

type Test = (map: MapFacts) => boolean;

/** The maps of a rule. */
export function mapSelector(
  maps: MapsDocument | "all",
  folders: readonly FolderLabels[],
): MapSelector {
  if (maps === "all") return { selects: () => true, looksAtPins: false };
  const { names, pins, holds, types, labels } = maps;
  const tests: Test[] = [];
  if (names) tests.push(anyOf(names.map(compileGlob), (map) => [map.name]));
  if (holds) tests.push(anyOf(holds.map(compileGlob), (map) => map.holds));
  if (types) tests.push(({ type }) => types.some((one) => one === type));
  if (pins) tests.push(anyOf(pins.map(compilePathGlob), (map) => map.pins));
  if (labels) tests.push(labelTest(labels, folders));
  return {
    selects: (map) => tests.every((test) => test(map)),
    looksAtPins: pins !== undefined || labels !== undefined,
  };
}

function anyOf(
  globs: readonly ((text: string) => boolean)[],
  textsOf: (map: MapFacts) => readonly string[],
): Test {
  return (map) => textsOf(map).some((text) => globs.some((isMatch) => isMatch(text)));
}

/** A map has a label where any of its pins lies in a folder with it. */
function labelTest(
  wanted: Readonly<Record<string, string>>,
  folders: readonly FolderLabels[],
): Test {
  const foldersWith = Object.entries(wanted).map(([label, value]) =>
    folders.filter(({ labels }) => labels[label] === value).map(({ folder }) => folder),
  );
  return ({ pins }) =>
    foldersWith.every((candidates) =>
      candidates.some((folder) => pins.some((pin) => pin.startsWith(`${folder}/`))),
    );
}
