import CliTable, { type Cell, type HorizontalAlignment } from "cli-table3";
import type { Style } from "./style.js";

/** A column of a table. */
export interface TableColumn<Row> {
  readonly title: string;
  readonly align?: HorizontalAlignment;
  readonly cell: (row: Row) => string;
}

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Rows in aligned columns under bold titles. Columns in which nothing stands are left out. */
export function tableText<Row>(
  rows: readonly Row[],
  columns: readonly TableColumn<Row>[],
  style: Style,
): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const shown = columns
    .map((column, index) => ({ column, index }))
    .filter(({ index }) => cells.some((row) => row[index] !== ""));
  const table = new CliTable({
    head: shown.map(({ column }) => style.bold(column.title)),
    colAligns: shown.map(({ column }) => column.align ?? "left"),
    chars: NO_BORDERS,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  for (const row of cells) table.push(shown.map(({ index }): Cell => row[index]!));
  const lines = table.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}
