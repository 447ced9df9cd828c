import { describe, expect, test } from '@jest/globals';
import { agentsOf } from '../../../src/targets/kubernetes/agents.ts';
import type { At } from '../../../src/targets/kubernetes/cluster.ts';
import { probe } from '../../../src/targets/kubernetes/probes.ts';
import { foundPod, shop } from './agents-cluster.ts';

const pods = [foundPod('shop-a', 2), foundPod('web-a', 1), foundPod('shop-b', 3, { ip: 'fd00::3', port: 9000 })];

const probing = (living = pods, answer = '{"outcome":"answered","ms":12.5,"status":503}') => {
  const asked: { at: At; order: Record<string, unknown> }[] = [];
  const it = shop(living, {
    exec: async (at, argv) => {
      asked.push({ at, order: JSON.parse(argv.at(-1)!) });
      return { code: 0, out: `${answer}\n`, err: '' };
    },
  });
  const knock = (from: string | null, to: string, tag: string | null = null) =>
    probe(it.ground, agentsOf(it.ground), from, to, tag);
  return { knock, asked };
};

describe('a probe', () => {
  test('goes out of the caller’s pod to the address of the callee’s, with the tag; any answer is one', async () => {
    const { knock, asked } = probing();
    expect(await knock('web', 'shop', 'abc')).toEqual({ outcome: 'answered', ms: 12.5, from: 'web-a', to: 'shop-a' });
    expect(asked).toEqual([
      {
        at: { namespace: 'shop', pod: 'web-a', container: 'firedrill-look-abc' },
        order: { url: 'http://198.18.1.2:8080/health', tag: 'abc', timeoutMs: 2000 },
      },
    ]);
  });

  test('of the users goes out of a pod of another component', async () => {
    const { knock, asked } = probing();
    expect(await knock(null, 'shop')).toMatchObject({ from: 'web-a' });
    expect(asked[0]!.at.pod).toBe('web-a');
  });

  test('can be for one pod, by its name, also by IPv6', async () => {
    const { knock, asked } = probing();
    expect(await knock('web', 'shop-b')).toMatchObject({ to: 'shop-b' });
    expect(asked[0]!.order.url).toBe('http://[fd00::3]:9000/health');
  });

  test('to or from nobody is refused without being sent', async () => {
    const { knock, asked } = probing([foundPod('web-a', 1), foundPod('shop-a', 2, { ready: false })]);
    expect(await knock('web', 'shop')).toEqual({ outcome: 'refused', ms: 0, from: 'web-a', to: 'shop' });
    expect(await knock('bank', 'web')).toEqual({ outcome: 'refused', ms: 0, from: 'bank', to: 'web-a' });
    expect(asked).toEqual([]);
  });

  test('whose answer is nonsense is an error, not an outcome', async () => {
    await expect(probing(pods, 'oops').knock('web', 'shop')).rejects.toThrow('the probe from web-a answered nonsense');
  });
});
