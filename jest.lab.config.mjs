// The long suites: real drills, in real labs.
import config from './jest.config.mjs';

export default {
  ...config,
  testMatch: ['<rootDir>/test/live/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
