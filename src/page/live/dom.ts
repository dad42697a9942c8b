/** Elements without HTML text: what strangers call themselves is only ever put in as text. */

type Child = Node | string;

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

let lastId = 0;

/** Unique in the page, for labels and what they name. */
export function newId(): string {
  return `id-${++lastId}`;
}

/** A section with its heading as its name. */
export function card(title: string, ...children: readonly Child[]): HTMLElement {
  const id = newId();
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

/** Touches the page only where something has changed, so that selections and screen readers stay where they are. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export interface Cell {
  readonly text: string;
  readonly class?: string;
  /** Shown where somebody points at it. */
  readonly title?: string;
  /** Of a link. */
  readonly href?: string;
}

export interface Row {
  readonly key: string;
  readonly cells: readonly (Cell | string)[];
}

export interface Table {
  readonly element: HTMLElement;
  /** The first cell of each row is its heading. */
  set(rows: readonly Row[]): void;
}

/** Rows of a table: more make the page slow, and nobody reads them. */
const MAX_ROWS = 200;

/** Scrolls by itself, and by keyboard. `numbers`: columns that are aligned right. */
export function table(caption: string, columns: readonly string[], numbers: readonly string[] = []): Table {
  const body = h("tbody");
  const heads = columns.map((name) => h("th", { scope: "col", ...numberClass(numbers.includes(name)) }, name));
  const captionElement = h("caption", {}, caption);
  const element = h(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, captionElement, h("thead", {}, h("tr", {}, ...heads)), body),
  );
  const rows = new Map<string, HTMLTableRowElement>();
  return {
    element,
    set(wanted) {
      const shown = wanted.slice(0, MAX_ROWS);
      setText(
        captionElement,
        shown.length < wanted.length ? `${caption}, ${shown.length} of ${wanted.length}` : caption,
      );
      const keys = new Set(shown.map(({ key }) => key));
      for (const [key, row] of rows) {
        if (keys.has(key)) continue;
        row.remove();
        rows.delete(key);
      }
      shown.forEach(({ key, cells }, index) => {
        const row = rows.get(key) ?? newRow(columns, numbers);
        rows.set(key, row);
        if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
        cells.forEach((cell, column) => {
          setCell(row.children[column], typeof cell === "string" ? { text: cell } : cell);
        });
      });
    },
  };
}

function newRow(columns: readonly string[], numbers: readonly string[]): HTMLTableRowElement {
  return h(
    "tr",
    {},
    ...columns.map((name, k) => (k === 0 ? h("th", { scope: "row" }) : h("td", numberClass(numbers.includes(name))))),
  );
}

function numberClass(isNumber: boolean): Record<string, string> {
  return isNumber ? { class: "number" } : {};
}

function setCell(element: Element | undefined, cell: Cell): void {
  if (!(element instanceof HTMLElement)) return;
  const isLink = cell.href !== undefined && /^https?:\/\//.test(cell.href);
  const holder = isLink ? linkIn(element, cell.href) : element;
  setText(holder, cell.text);
  if (cell.class !== undefined) holder.className = cell.class;
  if (cell.title !== undefined) holder.title = cell.title;
}

function linkIn(element: HTMLElement, href: string): HTMLElement {
  const known = element.firstElementChild;
  if (known instanceof HTMLAnchorElement) {
    if (known.href !== href) known.href = href;
    return known;
  }
  const link = h("a", { href });
  element.replaceChildren(link);
  return link;
}

export interface Tiles {
  readonly element: HTMLElement;
  set(name: string, value: string, detail?: string): void;
}

/** Single figures with their names. */
export function tiles(names: readonly string[]): Tiles {
  const values = new Map(names.map((name) => [name, { value: h("span", {}, "–"), detail: h("small") }]));
  const groups = [...values].map(([name, { value, detail }]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value, detail)),
  );
  return {
    element: h("dl", { class: "tiles" }, ...groups),
    set(name, text, detailText = "") {
      const found = values.get(name);
      if (found === undefined) return;
      setText(found.value, text);
      setText(found.detail, detailText);
    },
  };
}
