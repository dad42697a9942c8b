/** Finds the cases of a vector tree: `<preset>/<fork>/<runner>/<handler>/<suite>/<case>`. */
import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { errorMessage } from "../../base/errors.ts";

export type CaseId = {
  /** Relative to the tree's root, with `/`. */
  readonly path: string;
  readonly preset: string;
  readonly fork: string;
  readonly runner: string;
  readonly handler: string;
};

/** A directory that cannot be taken for what its place in the layout says. */
export type Defect = { readonly path: string; readonly reason: string };

export type VectorTree = { readonly root: string; readonly cases: CaseId[]; readonly defects: Defect[] };

const LEVELS = ["preset", "fork", "runner", "handler", "suite", "case"] as const;

/**
 * Lists a tree. Files beside directories (a README) are passed over. What is missing, empty, unreadable or a symlink
 * loop becomes a defect, and the listing goes on. The depth is fixed, so that no link makes it endless.
 * @param root the tree, or an unpacked release of the official tests, which has it in `tests/`.
 * @param filter keeps what has this text in its path.
 */
export function listVectors(root: string, filter = ""): VectorTree {
  const inner = join(root, "tests");
  const tree: VectorTree = { root: existsSync(inner) ? inner : root, cases: [], defects: [] };
  walk(tree, [], filter);
  return tree;
}

function walk(tree: VectorTree, names: string[], filter: string): void {
  const path = names.join("/");
  if (names.length === LEVELS.length) {
    const [preset, fork, runner, handler] = names as [string, string, string, string];
    if (path.includes(filter)) tree.cases.push({ path, preset, fork, runner, handler });
    return;
  }
  const addDefect = (defectPath: string, reason: string) => {
    if (defectPath === "") tree.defects.push({ path: tree.root, reason });
    else if (defectPath.includes(filter)) tree.defects.push({ path: defectPath, reason });
  };
  let entries: Dirent[];
  try {
    entries = readdirSync(join(tree.root, path), { withFileTypes: true });
  } catch (error) {
    addDefect(path, DIRECTORY_PROBLEMS[(error as NodeJS.ErrnoException).code ?? ""] ?? errorMessage(error));
    return;
  }
  const children: string[] = [];
  for (const entry of entries) {
    const childPath = path === "" ? entry.name : `${path}/${entry.name}`;
    const kind = entry.isSymbolicLink()
      ? followLink(tree.root, childPath)
      : entry.isDirectory()
        ? "directory"
        : "other";
    if (kind === "directory") children.push(entry.name);
    else if (kind !== "other") addDefect(childPath, kind.problem);
  }
  if (entries.length === 0) addDefect(path, `is an empty directory: it should hold a ${LEVELS[names.length]}`);
  for (const name of children.sort()) walk(tree, [...names, name], filter);
}

const DIRECTORY_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "is no directory",
  EACCES: "may not be read",
  ELOOP: "is a symlink loop",
};

function followLink(root: string, path: string): "directory" | "other" | { problem: string } {
  const link = join(root, path);
  try {
    if (!statSync(link).isDirectory()) return "other";
    const isLoop = `${realpathSync(join(link, ".."))}${sep}`.startsWith(`${realpathSync(link)}${sep}`);
    return isLoop ? { problem: "is a symlink loop" } : "directory";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { problem: code === "ENOENT" ? "is a symlink to nothing" : (DIRECTORY_PROBLEMS[code ?? ""] ?? `${code}`) };
  }
}
