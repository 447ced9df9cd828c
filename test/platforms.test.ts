import { readdir } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../src/errors.ts';
import { type Platform, type PlatformProfile, platform, topology } from '../src/platform.ts';
import { router } from '../src/targets/lab/service/routes.ts';
import { milliseconds } from '../src/time.ts';

const folder = new URL('../platforms/', import.meta.url);
const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
const all = await Promise.all(
  files.map(async (file): Promise<[string, Platform]> => [file, (await import(new URL(file, folder).href)).default]),
);

type Endpoint = `${string} ${string} ${string}`;

/** Every endpoint that users or ticks make run, directly or through calls. */
const reached = (it: Platform): Set<Endpoint> => {
  const seen = new Set<Endpoint>();
  const visit = (component: string, request: string): void => {
    const at: Endpoint = `${component} ${request as `${string} ${string}`}`;
    if (seen.has(at)) return;
    seen.add(at);
    for (const call of it.components[component]?.endpoints[request]?.calls ?? []) visit(call.to, call.request);
  };
  const route = router(it.components[it.entry]!.endpoints);
  for (const { request } of Object.values(it.journeys).flat()) {
    const [method, path] = request.split(' ') as [string, string];
    const found = route(method, path)?.route;
    visit(it.entry, found ? `${found.method} ${found.path}` : request);
  }
  for (const [name, { ticks }] of Object.entries(it.components)) for (const { request } of ticks) visit(name, request);
  return seen;
};

const declared = (it: Platform): Endpoint[] =>
  Object.entries(it.components).flatMap(([name, { endpoints }]) =>
    Object.keys(endpoints).map((request): Endpoint => `${name} ${request as `${string} ${string}`}`),
  );

/** The expected time of a request: its own work and that of all it calls. */
const expectedMs = (it: Platform, component: string, request: string): number => {
  const { work, calls } = it.components[component]!.endpoints[request]!;
  return calls.reduce((sum, { to, request: next }) => sum + expectedMs(it, to, next), milliseconds(work));
};

test('the five platforms are there, each named as its file', () => {
  expect(all.map(([, { name }]) => `${name}.ts`).sort()).toEqual([...files].sort());
  expect(files).toHaveLength(5);
});

describe.each(all)('%s', (_, it) => {
  test('every endpoint is reached from a journey or a tick, and every journey step meets an endpoint', () => {
    expect([...reached(it)].sort()).toEqual(declared(it).sort());
  });

  test('every call has three times its expected time before its deadline', () => {
    for (const { endpoints } of Object.values(it.components)) {
      for (const call of Object.values(endpoints).flatMap(({ calls }) => calls)) {
        expect(milliseconds(call.deadline)).toBeGreaterThan(3 * expectedMs(it, call.to, call.request));
      }
    }
  });

  test('all that the entry needs is among its edges', () => {
    const { components, edges, entry } = topology(it);
    const called = new Set(edges.map(({ to }) => to));
    expect(components.filter((name) => name !== entry && !called.has(name))).toEqual([]);
  });

  test('alerts are told apart by name and speak of the profile’s own metrics', () => {
    const names = it.alerts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const { requests, duration, clientRequests, clientDuration } = it.telemetry.metrics;
    const known = [
      'up',
      'process_',
      requests,
      duration,
      clientRequests,
      clientDuration,
      ...it.recording.map((one) => one.record),
    ];
    for (const { expr } of it.alerts)
      expect(known.some((metric) => metric !== null && expr.includes(metric))).toBe(true);
  });
});

test('in the trading platform several components have more than one caller', () => {
  const trading = all.find(([, { name }]) => name === 'trading')![1];
  const callers = Object.groupBy(topology(trading).edges, ({ to }) => to);
  expect(Object.values(callers).filter((list) => list!.length > 1).length).toBeGreaterThanOrEqual(3);
});

test('a tick of an endpoint that is not there is an error of the profile', () => {
  const components = {
    a: { endpoints: { 'GET /x': { work: '1ms' } }, ticks: [{ every: '1s', request: 'GET /y' }] },
  } as const;
  const journeys = { j: [{ request: 'GET /x', at: '0s' }] } as const;
  const profile = { name: 'p', entry: 'a', components, journeys } as unknown as PlatformProfile;
  expect(() => platform(profile)).toThrow("platform 'p': a ticks 'GET /y', which it does not have");
});

test('whatever is passed for it, it is a platform or refused as Usage, in one line', () => {
  const told = (profile: unknown): string => {
    try {
      platform(profile as PlatformProfile);
      return 'taken';
    } catch (error) {
      expect(error).toBeInstanceOf(Usage);
      return (error as Usage).message;
    }
  };
  const profile = all[0]![1];
  fc.assert(
    fc.property(
      fc.anything({ withNullPrototype: true }),
      fc.constantFrom(...(Object.keys(profile) as (keyof Platform)[])),
      (value, field) => expect(told({ ...profile, [field]: value })).not.toContain('\n'),
    ),
  );
  fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (value) => expect(told(value)).not.toContain('\n')));
});
