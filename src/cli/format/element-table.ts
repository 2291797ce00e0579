import { type Column, type ElementLayout, LayoutBuilder } from "./element-layout.js";
import { type ElementShape, slotOffset } from "./element-shape.js";
import type { Style } from "./style.js";

const BYTES_A_ROW = 16;

/** Elements as aligned columns for people: key, CPU, value in hex, value as ASCII. */
export interface ElementTable {
  readonly heading: string;
  readonly layout: ElementLayout;
}

/** Keys and values wider than 16 bytes go on over several rows. */
export function elementTable(shape: ElementShape, style: Style): ElementTable {
  const widths = {
    key: Math.max(hexWidth(shape.keySize), shape.keySize > 0 ? "KEY".length : 0),
    cpu: shape.cpus === undefined ? 0 : Math.max(3, ...shape.cpus.map((cpu) => `${cpu}`.length)),
    value: Math.max(hexWidth(shape.valueSize), "VALUE".length),
  };
  const layout = new LayoutBuilder();
  const slots = shape.cpus ?? [undefined];
  const keyRows = Math.ceil(shape.keySize / BYTES_A_ROW);
  const valueRows = Math.max(1, Math.ceil(shape.valueSize / BYTES_A_ROW));
  // The key stands beside the first slot's rows and may need more of them than it has.
  let row = 0;
  for (const [slot, cpu] of slots.entries()) {
    const last = slot === slots.length - 1;
    const rows = last ? Math.max(valueRows, keyRows - row) : valueRows;
    for (let part = 0; part < rows; part++, row++) {
      keyCells(layout, shape, row, widths.key, style);
      if (cpu !== undefined) {
        const label = part === 0 ? String(cpu) : "";
        layout.text(`${style.dim(label.padStart(widths.cpu))}  `);
      }
      valueCells(layout, shape, slotOffset(shape, slot), part, widths.value, style);
      layout.text("\n");
    }
  }
  const headings = [
    ...(shape.keySize > 0 ? ["KEY".padEnd(widths.key)] : []),
    ...(shape.cpus === undefined ? [] : ["CPU".padStart(widths.cpu)]),
    "VALUE".padEnd(widths.value),
    "ASCII",
  ];
  return { heading: `${style.bold(headings.join("  "))}\n`, layout: layout.build() };
}

function keyCells(
  layout: LayoutBuilder,
  shape: ElementShape,
  row: number,
  width: number,
  style: Style,
): void {
  if (shape.keySize === 0) return;
  coloured(layout, style.cyan, () => cells(layout, "keys", 0, shape.keySize, row, width));
  layout.text("  ");
}

function valueCells(
  layout: LayoutBuilder,
  shape: ElementShape,
  offset: number,
  row: number,
  width: number,
  style: Style,
): void {
  cells(layout, "values", offset, shape.valueSize, row, width);
  layout.text("  ");
  coloured(layout, style.green, () => {
    for (const index of rowBytes(shape.valueSize, row)) layout.char("values", offset + index);
  });
}

/** One row of a column's bytes in hex, padded to the column's width. */
function cells(
  layout: LayoutBuilder,
  column: Column,
  offset: number,
  size: number,
  row: number,
  width: number,
): void {
  const indices = rowBytes(size, row);
  for (const [position, index] of indices.entries()) {
    layout.text(gap(position));
    layout.hex(column, offset + index);
  }
  layout.text(" ".repeat(Math.max(0, width - hexWidth(indices.length))));
}

function rowBytes(size: number, row: number): number[] {
  const first = row * BYTES_A_ROW;
  const count = Math.min(BYTES_A_ROW, Math.max(0, size - first));
  return Array.from({ length: count }, (_, index) => first + index);
}

function gap(position: number): string {
  if (position === 0) return "";
  return position % 8 === 0 ? "  " : " ";
}

function hexWidth(size: number): number {
  const count = Math.min(size, BYTES_A_ROW);
  return count === 0 ? 0 : count * 3 - 1 + (count > 8 ? 1 : 0);
}

/** Puts the colour's codes around what is built inside. */
function coloured(
  layout: LayoutBuilder,
  colour: (text: string) => string,
  build: () => void,
): void {
  const [open = "", close = ""] = colour("\0").split("\0");
  layout.text(open);
  build();
  layout.text(close);
}
