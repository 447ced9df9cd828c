// Jest runs our TypeScript as Node does: the types are blanked out, nothing is rewritten.
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/test/live/', '/test/cluster/', '/test/backends/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/helpers/strip-types.mjs' },
  testEnvironmentOptions: { customExportConditions: ['node', 'node-addons', 'firedrill-source'] },
  reporters: ['default', '<rootDir>/test/helpers/closing-line.mjs'],
  maxWorkers: 2,
  // Nothing is timed by this: it ends what hangs, on machines of any speed.
  testTimeout: 60_000,
};
