/**
 * bpftool's rule for keywords (is_prefix in its main.c): any non-empty prefix stands
 * for the keyword, and where several match, the first in the list wins.
 */
export function isPrefix(word: string, keyword: string): boolean {
  return word !== "" && keyword.startsWith(word);
}

/** The first of the keywords that the word is a prefix of; an exact match comes first. */
export function matchKeyword<K extends string>(
  word: string,
  keywords: readonly K[],
): K | undefined {
  return (
    keywords.find((keyword) => keyword === word) ??
    keywords.find((keyword) => isPrefix(word, keyword))
  );
}
