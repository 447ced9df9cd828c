// The differential suites: the lab's own stores against the real servers that they speak for.
import config from './jest.config.mjs';

export default {
  ...config,
  testMatch: ['<rootDir>/test/backends/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
