import type { CliContext } from "../context.js";

/** A word that can stand next. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** What can stand next: words, and perhaps the name of a file on this host. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly files?: boolean;
}

/** Tells what can follow the whole words that stand after a verb. */
export type WordCompleter = (
  words: readonly string[],
  context: CliContext,
) => Completion | Promise<Completion>;

export const NOTHING: Completion = { candidates: [] };
export const FILES: Completion = { candidates: [], files: true };

/** Plain words. */
export function oneOf(...values: readonly string[]): Completion {
  return { candidates: values.map((value) => ({ value })) };
}

/** Keywords that take an argument each and stand in any order; each is offered once. */
export function anyOrder(
  keywords: Readonly<Record<string, WordCompleter | undefined>>,
): WordCompleter {
  return (words, context) => {
    const last = words.at(-1);
    const complete = last === undefined ? undefined : keywords[last];
    if (complete !== undefined) return complete([], context);
    return oneOf(...Object.keys(keywords).filter((keyword) => !words.includes(keyword)));
  };
}
