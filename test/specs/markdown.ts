/** Reads the specification documents as data: headings, links, tables, Python blocks. */
import { readdirSync, readFileSync } from "node:fs";

export const REPOSITORY = new URL("../../", import.meta.url);

export const SPEC_FOLDER = "specs/message-bus";

/** Paths from the repository's root. */
export const SPEC_DOCUMENTS = readdirSync(new URL(SPEC_FOLDER, REPOSITORY))
  .filter((name) => name.endsWith(".md"))
  .sort()
  .map((name) => `${SPEC_FOLDER}/${name}`);

export function readDocument(path: string): string {
  return readFileSync(new URL(path, REPOSITORY), "utf8");
}

/** The text without its fenced blocks. */
function prose(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

export interface Heading {
  readonly level: number;
  readonly title: string;
  /** As GitHub derives it. */
  readonly anchor: string;
}

export function readHeadings(markdown: string): Heading[] {
  return [...prose(markdown).matchAll(/^(#{1,6}) (.+)$/gm)].map(([, marks = "", title = ""]) => ({
    level: marks.length,
    title,
    anchor: title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  }));
}

/** Anchors of the headings under which a Python block defines functions. */
export function readFunctionAnchors(markdown: string): string[] {
  const anchors = new Set<string>();
  for (const { index } of markdown.matchAll(/^def /gm)) {
    const anchor = readHeadings(markdown.slice(0, markdown.lastIndexOf("```python", index))).at(-1)?.anchor;
    if (anchor !== undefined) anchors.add(anchor);
  }
  return [...anchors];
}

/** Targets of the links that stay in the repository. */
export function readLocalLinks(markdown: string): string[] {
  return [...prose(markdown).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, target = ""]) => target);
}

/** Bodies of the ```python blocks. */
export function readPythonBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```python\n([\s\S]*?)^```$/gm)].map(([, body = ""]) => body);
}

/** Every table row as its cells by the table's column names; backticks stay. */
export function readTableRows(markdown: string): Record<string, string>[] {
  const rows: Record<string, string>[] = [];
  let columns: string[] | null = null;
  for (const line of prose(markdown).split("\n")) {
    if (!line.startsWith("|")) {
      columns = null;
      continue;
    }
    const cells = line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim());
    if (columns === null) columns = cells;
    else if (!/^-+$/.test(cells[0] ?? ""))
      rows.push(Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? ""])));
  }
  return rows;
}

/** The row whose `Name` is that constant. */
export function readConstant(markdown: string, name: string): Record<string, string> {
  const row = readTableRows(markdown).find((row) => row.Name === `\`${name}\``);
  if (row === undefined) throw new Error(`no table names the constant ${name}`);
  return row;
}

/** Reads `Uint64(2**13)` (= 8,192) and `Uint64(1132)`. */
export function readInteger(cell: string | undefined): number {
  const digits = cell?.match(/\(= ([\d,]+)\)$/)?.[1] ?? cell?.match(/^`\w+\((\d+)\)`$/)?.[1];
  if (digits === undefined) throw new Error(`no integer in ${cell}`);
  return Number(digits.replaceAll(",", ""));
}

/** Names of a container's fields in order, from its Python class. */
export function readContainerFields(markdown: string, name: string): string[] {
  const block = readPythonBlocks(markdown).find((body) => body.startsWith(`class ${name}(Container):`));
  if (block === undefined) throw new Error(`no container ${name}`);
  return [...block.matchAll(/^ {4}(\w+): /gm)].map(([, field = ""]) => field);
}
