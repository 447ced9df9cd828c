import { expect, test } from '@jest/globals';
import { type PlatformProfile, platform } from '../../../src/platform.ts';
import { labFacts } from '../../../src/targets/lab/open.ts';

const profile: PlatformProfile = {
  name: 'pair',
  entry: 'web',
  components: { web: { pods: 2, endpoints: { 'GET /': { work: '1ms' } } } },
  journeys: { look: [{ request: 'GET /', at: '0ms' }] },
};
const slow = { name: 'Slow', expr: 'up == 0', for: '12s' } as const;

test('alerts are awaited for as long as the profile’s slowest one waits, two scrapes at least', () => {
  expect(labFacts(platform(profile)).timing.pending).toBe(2000);
  expect(labFacts(platform({ ...profile, alerts: [slow] })).timing.pending).toBe(12_000);
});

test('pods that are not up yet are known by number and place', () => {
  const pods = labFacts(platform(profile)).pods;
  expect(pods.map(({ name, service, port }) => ({ name, service, port }))).toEqual([
    { name: 'web-0', service: 'web', port: 8080 },
    { name: 'web-1', service: 'web', port: 8080 },
  ]);
});
