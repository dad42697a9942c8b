import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    env: { LODESTAR_PRESET: "minimal" },
    // One process a file: presets are read at import, native addons keep per-process state.
    pool: "forks",
    maxWorkers: 2,
    // Waits for events have deadlines of their own: these are for work that a slow machine takes long over.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
