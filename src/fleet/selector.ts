import {
  type HostSelector,
  type LabelRequirement,
  LabelRequirement_Operator as Operator,
} from "@bpfmapd/client/proto";

/** What a selector looks at in a host. */
export interface SelectableHost {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Tells of a host whether it is chosen. */
export type HostMatcher = (host: SelectableHost) => boolean;

/** The hosts that a selector chooses; without one, all. */
export function hostMatcher(selector: HostSelector | undefined): HostMatcher {
  if (selector === undefined) return () => true;
  const ids = new Set(selector.hostIds);
  const labels = Object.entries(selector.labels);
  const requirements = selector.requirements.map(requirementMatcher);
  return (host) =>
    (ids.size === 0 || ids.has(host.id)) &&
    labels.every(([key, value]) => labelOf(host, key) === value) &&
    requirements.every((isMet) => isMet(host));
}

function requirementMatcher({ key, operator, values }: LabelRequirement): HostMatcher {
  const wanted = new Set(values);
  const isAmong = (value: string | undefined) => value !== undefined && wanted.has(value);
  switch (operator) {
    case Operator.IN:
      return (host) => isAmong(labelOf(host, key));
    case Operator.NOT_IN:
      return (host) => !isAmong(labelOf(host, key));
    case Operator.EXISTS:
      return (host) => labelOf(host, key) !== undefined;
    case Operator.DOES_NOT_EXIST:
      return (host) => labelOf(host, key) === undefined;
    default:
      return () => false;
  }
}

/** A label's key may be "constructor", too. */
function labelOf({ labels }: SelectableHost, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
