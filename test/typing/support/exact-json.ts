/**
 * JSON as it stands: members in their order, also several of one name, and numbers by
 * their text. JSON.parse would drop the ones and round the others.
 */
export type ExactJson =
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "array"; readonly items: readonly ExactJson[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, ExactJson])[] };

const TOKEN = /\s*(?:([[\]{},:])|("(?:[^"\\]|\\.)*")|(-?[0-9][-+.eE0-9]*)|(true|false|null))/y;

export function parseExact(text: string): ExactJson {
  const tokens: { mark?: string; value?: ExactJson }[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.trimEnd().length; ) {
    const at = TOKEN.lastIndex;
    const [all, mark, string, number, word] = TOKEN.exec(text) ?? [];
    if (all === undefined) throw new Error(`no JSON at ${at}: ${text.slice(at, at + 40)}`);
    if (mark) tokens.push({ mark });
    else if (string) tokens.push({ value: { kind: "string", text: JSON.parse(string) as string } });
    else if (number) tokens.push({ value: { kind: "number", text: number } });
    else tokens.push({ value: { kind: "word", text: word as string } });
  }
  let next = 0;
  const take = (mark: string): boolean => {
    if (tokens[next]?.mark !== mark) return false;
    next++;
    return true;
  };
  const value = (): ExactJson => {
    if (take("[")) {
      const items: ExactJson[] = [];
      while (!take("]")) {
        items.push(value());
        take(",");
      }
      return { kind: "array", items };
    }
    if (take("{")) {
      const members: [string, ExactJson][] = [];
      while (!take("}")) {
        const name = value();
        take(":");
        members.push([(name as { text: string }).text, value()]);
        take(",");
      }
      return { kind: "object", members };
    }
    const scalar = tokens[next++]?.value;
    if (!scalar) throw new Error(`a value expected in ${text.slice(0, 200)}`);
    return scalar;
  };
  return value();
}
