import { z } from "zod";
import { MapType } from "../../maps/index.js";
import { VERBS } from "../verb.js";
import { DEFAULT_LIMITS_KEY, limits } from "./limits-schema.js";

/** Longer patterns are surely a mistake. */
const MAX_PATTERN = 1024;

const pattern = z.string().min(1, "must not be empty").max(MAX_PATTERN);
const patterns = z.array(pattern).min(1, "must name at least one");
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, {
  error: "must be 1 to 63 of the characters a-z, A-Z, 0-9, '_', '.' and '-'",
});
const labels = z.record(name, z.string().max(256));

const MAX_ID = 0xffff_ffff;
/** A number, or a range such as "1000-1999". */
const idRange = z
  .union([z.number(), z.string()], { error: 'must be a number, or a range such as "1000-1999"' })
  .transform((value, context): readonly [number, number] => {
    const [, from, to] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(String(value)) ?? [];
    const [low, high] = [Number(from), Number(to ?? from)];
    if (from !== undefined && low <= high && high <= MAX_ID) return [low, high];
    context.addIssue(
      `must be a number, or a range such as "1000-1999", not ${JSON.stringify(value)}`,
    );
    return z.NEVER;
  });
const ids = z.array(idRange).min(1, "must name at least one");

const atLeastOne = (parts: object) => Object.keys(parts).length > 0;

/** Whom an identity stands for: all parts that are there must hold. */
const proof = z
  .strictObject({
    san: patterns.optional(),
    uid: ids.optional(),
    gid: ids.optional(),
    claims: z
      .record(z.string().min(1), z.union([pattern.transform((one) => [one]), patterns]))
      .optional(),
  })
  .refine(atLeastOne, "must have at least one of san, uid, gid and claims");

const typeNames = Object.keys(MapType).filter((key) => Number.isNaN(Number(key)));
const mapType = z
  .string()
  .refine((text) => typeNames.includes(text.toUpperCase()), {
    error: (issue) =>
      `${JSON.stringify(issue.input)} is no map type; say it as in "hash" or "lru_hash"`,
  })
  .transform((text) => MapType[text.toUpperCase() as keyof typeof MapType]);

/** Which maps: all parts that are there must hold, each by any of its patterns. */
const maps = z
  .strictObject({
    names: patterns.optional(),
    pins: patterns.optional(),
    holds: patterns.optional(),
    types: z.array(mapType).min(1, "must name at least one").optional(),
    labels: labels.refine(atLeastOne, "must name at least one").optional(),
  })
  .refine(
    atLeastOne,
    'must have at least one of names, pins, holds, types and labels; for every map say "all"',
  );

const rule = z.strictObject({
  name: name.optional(),
  identities: z.array(name).min(1, "must name at least one"),
  verbs: z.union([z.literal("all"), z.array(z.enum(VERBS)).min(1, "must name at least one")], {
    error: `must be "all", or a list of ${VERBS.join(", ")}`,
  }),
  maps: z.union([z.literal("all"), maps], {
    error: (issue) =>
      typeof issue.input === "object" ? undefined : 'must be "all", or tell which maps',
  }),
});

/** A policy file; docs/security.md tells what it means. */
export const policySchema = z
  .strictObject({
    version: z.literal(1, { error: "must be 1, the version of this format" }),
    unix_socket: z
      .enum(["rules", "trusted"], { error: 'must be "rules" or "trusted"' })
      .default("rules"),
    identities: z.record(name, z.array(proof).min(1, "must have at least one entry")).default({}),
    labels: z.array(z.strictObject({ folder: pattern, labels })).default([]),
    rules: z.array(rule).default([]),
    limits: z.record(name, limits).default({}),
    fleet: z
      .strictObject({
        hosts: z.array(name).default([]),
        relays: z.array(name).default([]),
        controllers: z.array(name).default([]),
      })
      .prefault({}),
  })
  .superRefine(({ identities, rules, limits, fleet }, context) => {
    const known = new Set(Object.keys(identities));
    const issue = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    const refuse = (path: (string | number)[], identity: string) =>
      issue(path, `${JSON.stringify(identity)} is none of the identities`);
    if (known.has(DEFAULT_LIMITS_KEY)) {
      const message = "cannot be an identity's name: under limits it stands for all others";
      issue(["identities", DEFAULT_LIMITS_KEY], message);
    }
    for (const identity of Object.keys(limits)) {
      if (identity !== DEFAULT_LIMITS_KEY && !known.has(identity)) {
        refuse(["limits", identity], identity);
      }
    }
    for (const [role, named] of Object.entries(fleet)) {
      for (const [at, identity] of named.entries()) {
        if (!known.has(identity)) refuse(["fleet", role, at], identity);
      }
    }
    for (const [index, { identities: named }] of rules.entries()) {
      for (const [at, identity] of named.entries()) {
        if (!known.has(identity)) refuse(["rules", index, "identities", at], identity);
      }
    }
  });

export type PolicyDocument = z.output<typeof policySchema>;
export type ProofDocument = PolicyDocument["identities"][string][number];
export type RuleDocument = PolicyDocument["rules"][number];
export type MapsDocument = Exclude<RuleDocument["maps"], "all">;
