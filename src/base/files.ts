import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** What to do about a failure of the file system, to end a sentence with. */
export function diskHint(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOSPC":
    case "EDQUOT":
      return "free some space on its disk";
    case "EROFS":
      return "its file system is read-only, choose another --data-dir";
    case "EACCES":
    case "EPERM":
      return "let this user write there, or choose another --data-dir";
    default:
      return "choose another --data-dir";
  }
}

/**
 * Makes a directory and those above it; one that exists is fine. Node's own `recursive` never returns where the system
 * answers ENOENT for a directory whose parent exists, as under /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path) throw error;
    await makeDirectory(parent);
    await mkdir(path);
  }
}
