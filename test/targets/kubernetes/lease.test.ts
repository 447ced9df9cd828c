import type { ServerResponse } from 'node:http';
import { expect, test } from '@jest/globals';
import { held, takeLease } from '../../../src/targets/kubernetes/lease.ts';
import { fromMs, systemClock } from '../../../src/time.ts';
import { json, opened, type Request } from './mock-api.ts';

const owner = { runId: 'abc', expires: 1_800_000_000_000_000_000n };
const say = (): void => undefined;

/** The one lease of a namespace, as an API server keeps it. */
const leases = () => {
  let lease: { metadata: { uid: string }; spec: { renewTime: string } } | null = null;
  let version = 0;
  const http = ({ method, body }: Request, response: ServerResponse) => {
    if (method === 'POST' && lease) return json(response, 409, { kind: 'Status', message: 'already exists' });
    if (method !== 'POST' && !lease) return json(response, 404, { kind: 'Status', message: 'not found' });
    if (method === 'POST' || method === 'PUT') {
      const sent = JSON.parse(body);
      lease = { ...sent, metadata: { ...sent.metadata, uid: lease?.metadata.uid ?? `uid-${++version}` } };
    }
    const answer = lease;
    if (method === 'DELETE') {
      const wanted = JSON.parse(body || '{}').preconditions?.uid;
      if (wanted && wanted !== lease!.metadata.uid) return json(response, 409, { kind: 'Status', message: 'uid' });
      lease = null;
    }
    return json(response, 200, answer);
  };
  return { http, now: () => lease };
};

test('a namespace is one run’s: the second is refused with the first one’s name, and may come when it is gone', async () => {
  const { http, now } = leases();
  await using it = await opened({ http });
  const { cluster } = it;
  {
    await using first = await takeLease(cluster, 'shop', owner, 'host:1 a killed shop', say);
    expect(first).toBeDefined();
    expect(now()).toMatchObject({
      metadata: { labels: { 'firedrill/run': 'abc', 'firedrill/expires': '1800000000' } },
    });
    expect(now()!.spec.renewTime).toMatch(/\.\d{6}Z$/);
    await expect(takeLease(cluster, 'shop', { ...owner, runId: 'def' }, 'host:2', say)).rejects.toThrow(
      /namespace shop is being drilled by run abc \(host:1 a killed shop, last heard of at .*\); wait for its end/,
    );
  }
  expect(now()).toBeNull();
  await using second = await takeLease(cluster, 'shop', { ...owner, runId: 'def' }, 'host:2', say);
  expect(second).toBeDefined();
});

test('who has not renewed for longer than it said is not alive; the next run is told to heal first', async () => {
  const { http } = leases();
  await using it = await opened({ http });
  const { cluster } = it;
  await using first = await takeLease(cluster, 'shop', owner, 'host:1', say);
  expect(first).toBeDefined();
  const later = { ...systemClock, now: () => systemClock.now() + fromMs(60_000) };
  expect(await held(cluster, 'shop', later)).toMatchObject({ runId: 'abc', alive: false });
  expect(await held(cluster, 'shop')).toMatchObject({ runId: 'abc', alive: true });
});

test('a namespace that nobody drills has no lease, and that is no error', async () => {
  await using it = await opened({ http: leases().http });
  expect(await held(it.cluster, 'shop')).toBeNull();
});
