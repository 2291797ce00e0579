/** Attributes of an element; undefined ones are left out. */
type Attributes = Record<string, string | number | undefined>;

/** An element of SVG, as text. Children are elements; `text` gives those with words. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}="${typeof value === "number" ? short(value) : escaped(value!)}"`,
    )
    .join("");
  return children.length === 0
    ? `<${name}${written}/>`
    : `<${name}${written}>${children.join("\n")}</${name}>`;
}

export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escaped(words));
}

export function line(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  attributes: Attributes,
): string {
  return element("line", { x1, y1, x2, y2, ...attributes });
}

/** A picture on white ground, which is also read where the page around it is dark. */
export function picture(width: number, height: number, title: string, parts: string[]): string {
  const style = {
    "font-family": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
    "font-size": 12,
    fill: "#24292f",
  };
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return `${element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", ...size, role: "img", ...style },
    element("title", {}, escaped(title)),
    element("rect", { width, height, fill: "#ffffff" }),
    ...parts,
  )}\n`;
}

/** Where a number is on a logarithmic axis; what lies outside is at its end. */
export function logScale(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
): (number: number) => number {
  const span = Math.log(high / low);
  return (number) => {
    const part = Math.log(number / low) / span;
    return from + Math.min(1, Math.max(0, part)) * (to - from);
  };
}

function short(number: number): string {
  return `${Math.round(number * 10) / 10}`;
}

function escaped(words: string | number): string {
  return `${words}`.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
