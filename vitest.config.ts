import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What hangs is told from what is slow: machines are shared, and the sanitizers take their time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores: flow tests start processes of their own.
    maxWorkers: 2,
  },
});
