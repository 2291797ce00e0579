import { type Column, type ElementLayout, LayoutBuilder } from "./element-layout.js";
import { type ElementShape, slotOffset } from "./element-shape.js";
import { plainSeparator } from "./hex.js";

/** The layout of elements in bpftool's plain text (print_entry_plain in its map.c). */
export function textLayout(shape: ElementShape): ElementLayout {
  const layout = new LayoutBuilder();
  if (shape.cpus === undefined) plainElement(layout, shape);
  else perCpuElement(layout, shape, shape.cpus);
  return layout.build();
}

function plainElement(layout: LayoutBuilder, shape: ElementShape): void {
  const breakNames = shape.keySize > 16 || shape.valueSize > 16;
  const singleLine = shape.keySize + shape.valueSize <= 24 && !breakNames;
  if (shape.keySize > 0) {
    layout.text(breakNames ? "key:\n" : "key: ");
    dump(layout, "keys", 0, shape.keySize);
    layout.text(singleLine ? "  " : "\n");
  }
  if (shape.valueSize > 0) {
    layout.text(breakNames ? "value:\n" : "value: ");
    dump(layout, "values", 0, shape.valueSize);
  }
  layout.text("\n");
}

function perCpuElement(layout: LayoutBuilder, shape: ElementShape, cpus: readonly number[]): void {
  layout.text("key:\n");
  dump(layout, "keys", 0, shape.keySize);
  layout.text("\n");
  for (const [slot, cpu] of cpus.entries()) {
    const label = `value (CPU ${String(cpu).padStart(2, "0")}):`;
    layout.text(label + (shape.valueSize > 16 ? "\n" : " "));
    dump(layout, "values", slotOffset(shape, slot), shape.valueSize);
    layout.text("\n");
  }
}

function dump(layout: LayoutBuilder, column: Column, offset: number, size: number): void {
  for (let index = 0; index < size; index++) {
    layout.text(plainSeparator(index));
    layout.hex(column, offset + index);
  }
}
