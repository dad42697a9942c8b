import { existsSync, globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import {
  REPOSITORY,
  readDocument,
  readFunctionAnchors,
  readHeadings,
  readLocalLinks,
  SPEC_DOCUMENTS,
} from "./markdown.ts";

const documents = [...SPEC_DOCUMENTS, ...globSync(["*.md", "specs/*.md", "docs/*.md"], { cwd: REPOSITORY })];

/** Whether `target`, relative to the document or to the repository, is a file, and its anchor a heading there. */
function resolves(target: string, base: URL): boolean {
  const url = new URL(target, base);
  const anchor = url.hash.slice(1);
  url.hash = "";
  if (!existsSync(url)) return false;
  return anchor === "" || readHeadings(readFileSync(url, "utf8")).some((heading) => heading.anchor === anchor);
}

for (const path of documents) {
  it(`links: those of ${path} resolve`, () => {
    const links = readLocalLinks(readDocument(path));
    expect(links.filter((target) => !resolves(target, new URL(path, REPOSITORY)))).toEqual([]);
  });
}

for (const path of SPEC_DOCUMENTS) {
  it(`links: the contents of ${path} are its headings, each with an anchor of its own`, () => {
    const markdown = readDocument(path);
    const headings = readHeadings(markdown).filter((heading) => heading.level > 1);
    const contents = markdown.match(/<!-- mdformat-toc start[^>]*-->\n\n([\s\S]*?)\n\n<!-- mdformat-toc end -->/)?.[1];
    const expected = headings.map(({ level, title, anchor }) => `${"  ".repeat(level - 2)}- [${title}](#${anchor})`);
    expect(contents?.split("\n")).toEqual(expected);
    expect(new Set(headings.map((heading) => heading.anchor)).size).toBe(headings.length);
  });
}

it("links: every @spec tag of the source that points into specs/ resolves", () => {
  const files = globSync("{src,contracts,bench,test}/**/*.{ts,sol}", { cwd: REPOSITORY });
  const dangling = files.flatMap((file) =>
    [...readFileSync(new URL(file, REPOSITORY), "utf8").matchAll(/@spec (specs\/[\w./#-]+)/g)]
      .filter(([, target = ""]) => !resolves(target, REPOSITORY))
      .map(([tag]) => `${file}: ${tag}`),
  );
  expect(files.length).toBeGreaterThan(0);
  expect(dangling).toEqual([]);
});

it("links: every function of the specification is tagged in the code that does it", () => {
  const files = globSync("src/**/*.ts", { cwd: REPOSITORY });
  const tags = new Set(
    files.flatMap((file) => {
      const text = readFileSync(new URL(file, REPOSITORY), "utf8");
      return [...text.matchAll(/@spec (specs\/[\w./#-]+)/g)].map(([, target]) => target);
    }),
  );
  const untagged = SPEC_DOCUMENTS.flatMap((path) =>
    readFunctionAnchors(readDocument(path))
      .map((anchor) => `${path}#${anchor}`)
      .filter((target) => !tags.has(target)),
  );
  expect(tags.size).toBeGreaterThan(0);
  expect(untagged).toEqual([]);
});
