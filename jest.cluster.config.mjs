// The suite against a real cluster: $KUBECONFIG's, with the platform of deploy/ on it.
import config from './jest.config.mjs';

export default {
  ...config,
  testMatch: ['<rootDir>/test/cluster/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
