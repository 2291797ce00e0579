const NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy;

/**
 * The URI and DNS names in Node's text of a certificate's subject alternative names.
 * Node quotes a name that could be taken for two (CVE-2021-44532), so a quoted one is
 * taken whole. A text that is not of this form has no names.
 */
export function namesOf(subjectAltName: string | undefined): string[] {
  const names: string[] = [];
  let end = 0;
  for (const { 0: all, 1: kind, 2: text = "", index } of (subjectAltName ?? "").matchAll(NAME)) {
    end = index + all.length;
    const name = text.startsWith('"') ? unquote(text) : text;
    if (name === undefined) return [];
    if (kind === "URI" || kind === "DNS") names.push(name);
  }
  return end === (subjectAltName ?? "").length ? names : [];
}

function unquote(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
