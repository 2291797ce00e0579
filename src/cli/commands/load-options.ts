import type { Command } from "commander";

/** Adds the options of LoadOptions. */
export function addLoadOptions(command: Command): void {
  command
    .option("--replace", "also remove the elements that are not in FILE")
    .option("--dry-run", "only tell what would be done");
}
