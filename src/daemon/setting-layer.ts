/** Settings from one source, not checked yet: objects by key as in the file. */
export interface SettingLayer {
  readonly values: unknown;
  /** Names the source of a value for people, such as "--socket" or "/etc/bpfmapd.yaml". */
  sourceOf(path: readonly PropertyKey[]): string;
}

type Tree = Record<string, unknown>;

/** The value at a path; undefined where there is none. */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    tree,
  );
}

/** Sets the value at a path, making the objects that lead to it. */
export function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const inner = isTree(tree[key]) ? tree[key] : {};
  tree[key] = inner;
  setAt(inner, rest, value);
}

/** The values of `upper` over those of `lower`; objects are joined, all else replaced. */
export function overlay(lower: unknown, upper: unknown): unknown {
  if (upper === undefined) return lower;
  if (!isTree(lower) || !isTree(upper)) return upper;
  const joined: Tree = { ...lower };
  for (const [key, value] of Object.entries(upper)) joined[key] = overlay(joined[key], value);
  return joined;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
