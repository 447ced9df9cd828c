import { describe, expect, test } from '@jest/globals';
import { healCluster } from '../../../src/targets/kubernetes/heal.ts';
import { json, opened, type Request } from './mock-api.ts';

type Thing = {
  metadata: { name: string; namespace: string; uid: string; labels: Record<string, string> };
  spec?: object;
};
const ours = (name: string, runId: string, spec: object = {}): Thing => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: { 'firedrill/run': runId } },
  spec,
});
const lease = (runId: string, secondsAgo: number): Thing =>
  ours('firedrill', runId, {
    holderIdentity: 'host:1',
    leaseDurationSeconds: 30,
    renewTime: new Date(Date.now() - secondsAgo * 1000).toISOString().replace('Z', '000Z'),
  });

/** An API server with these policies and this lease, and nothing else of ours. */
const world = (policies: Thing[], held: Thing | null, refuses = false) => {
  const state = { policies, held };
  const http = ({ method, url }: Request, response: Parameters<typeof json>[0]) => {
    const [name, kind] = url.pathname.split('/').reverse() as [string, string];
    if (url.pathname.includes('cilium')) return json(response, 404, { kind: 'Status', message: 'not served' });
    if (url.pathname === '/apis') return json(response, 200, { kind: 'APIGroupList', groups: [] });
    if (kind === 'leases' && method === 'DELETE') state.held = null;
    if (kind === 'leases')
      return json(
        response,
        state.held || method === 'DELETE' ? 200 : 404,
        state.held ?? { kind: 'Status', message: 'none' },
      );
    if (kind === 'networkpolicies') {
      if (refuses) return json(response, 403, { kind: 'Status', message: 'not for you' });
      const found = state.policies.find(({ metadata }) => metadata.name === name);
      if (method === 'DELETE') state.policies = state.policies.filter((one) => one !== found);
      return json(response, found ? 200 : 404, found ?? { kind: 'Status', message: 'gone' });
    }
    json(response, 200, { items: name === 'networkpolicies' ? state.policies : [] });
  };
  return { state, http };
};

const heal = async ({ http }: ReturnType<typeof world>, options: { force?: boolean; allow?: string[] } = {}) => {
  await using it = await opened({ http });
  const told: string[] = [];
  const { force = false, allow = ['shop'] } = options;
  const healing = healCluster({
    cluster: it.cluster,
    namespaces: ['shop'],
    allow,
    force,
    say: (line) => told.push(line),
  });
  return { undone: await healing, told };
};

describe('healing a cluster', () => {
  test('undoes what a dead run left, its lease last, without any file of that run', async () => {
    const it = world([ours('firedrill-cut-abc', 'abc')], lease('abc', 60));
    const { undone, told } = await heal(it);
    expect(undone).toBe(2);
    expect(told.at(-1)).toBe('undone: lease of run abc in shop');
    expect(it.state).toEqual({ policies: [], held: null });
  });

  test('leaves alone what belongs to a run that still lives, and says whose it is', async () => {
    const it = world([ours('firedrill-cut-abc', 'abc'), ours('firedrill-cut-old', 'old')], lease('abc', 5));
    const { undone, told } = await heal(it);
    expect(undone).toBe(1);
    expect(told[0]).toMatch(/^namespace shop: run abc \(host:1\) is still at it, last heard of at /);
    expect(it.state.policies.map(({ metadata }) => metadata.name)).toEqual(['firedrill-cut-abc']);
    expect(it.state.held).not.toBeNull();
  });

  test('by force undoes that, too', async () => {
    const it = world([ours('firedrill-cut-abc', 'abc')], lease('abc', 5));
    expect((await heal(it, { force: true })).undone).toBe(2);
    expect(it.state).toEqual({ policies: [], held: null });
  });

  test('finds nothing where nothing is, and touches no namespace that was not allowed', async () => {
    expect((await heal(world([], null))).undone).toBe(0);
    await expect(heal(world([], null), { allow: [] })).rejects.toThrow('allow it with --allow shop');
  });

  test('that can’t undo something is the loudest error, with what is left, after all else was tried', async () => {
    const it = world([ours('firedrill-cut-abc', 'abc')], lease('abc', 60), true);
    await expect(heal(it)).rejects.toMatchObject({
      name: 'StillBroken',
      message: expect.stringContaining('not for you'),
    });
    expect(it.state.policies).toHaveLength(1);
    expect(it.state.held).not.toBeNull();
  });
});
