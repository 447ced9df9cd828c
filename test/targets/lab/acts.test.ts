import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Acts, acts } from '../../../src/targets/lab/acts.ts';
import type { Network } from '../../../src/targets/lab/network.ts';
import type { LabPod } from '../../../src/targets/lab/pods.ts';

const PROXY = join(import.meta.dirname, '../../helpers/fake-proxy.mjs');
const pod = (name: string, n: number): LabPod => ({
  name,
  uid: `uid-${name}`,
  service: name.slice(0, -2),
  ip: `198.18.1.${n}`,
  port: 8080,
  ready: true,
  netns: `p${n}`,
});
const edge = { from: 'web', to: 'shop' };
const delaying = { place: edge, add: '1s', jitter: '0ms', hit: 'all', runId: 'run' } as const;

let open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const undo of open) await undo();
  open = [];
});

/** Acts on a network that only writes down; `refuses` throws for commands that the kernel would not take. */
const lab = (refuses: (commands: string, id: string) => boolean = () => false, broken: readonly string[] = []) => {
  const living = [pod('web-a', 1), pod('shop-a', 2), pod('shop-b', 3), pod('bank-a', 4)];
  const done: { at: string; commands: string }[] = [];
  const network: Network = {
    attach: async () => undefined,
    detach: async () => undefined,
    nft: async (commands, id = 'node') => {
      if (refuses(commands, id)) throw new Error('nft: Operation not permitted');
      done.push({ at: id, commands });
    },
    within: (id) => [process.execPath, PROXY, broken.includes(id) ? 'FAIL' : id],
  };
  const made = acts(network, () => living);
  const delay: Acts['delay'] = async (act) => {
    const id = await made.delay(act);
    open.push(() => made.undo(id));
    return id;
  };
  const rules = (at: string): string => done.findLast((one) => one.at === at)?.commands ?? '';
  return { acts: { ...made, delay }, living, done, rules };
};

describe('a block', () => {
  test('of an edge cuts only its direction, of a component both, and each is named in its rule', async () => {
    const { acts, rules } = lab();
    const id = await acts.block({ place: edge, how: 'drop', runId: 'run' });
    expect(rules('node').match(/add rule.*/g)).toEqual([
      expect.stringMatching(new RegExp(`ip saddr @c_web ip daddr @c_shop .* drop comment "${id}"$`)),
    ]);
    await acts.block({ place: { service: 'bank' }, how: 'reject', runId: 'run' });
    expect(rules('node').match(/add rule/g)).toHaveLength(3);
    expect(rules('node')).toMatch(/ip daddr @c_bank .*\n.*ip saddr @c_bank /);
  });

  test('that is undone leaves the others as they were, and can be undone again', async () => {
    const { acts, rules } = lab();
    const [one, two] = [
      await acts.block({ place: edge, how: 'drop', runId: 'run' }),
      await acts.block({ place: { service: 'bank' }, how: 'drop', runId: 'run' }),
    ];
    await acts.undo(one!);
    expect(rules('node')).not.toContain('c_web');
    expect(rules('node')).toContain('c_bank');
    await acts.undo(two!);
    expect(rules('node')).toBe('flush chain inet firedrill faults\n');
    await acts.undo(one!);
    await acts.undo('block-99');
  });

  test('that the kernel refuses is not done later, when another is', async () => {
    let refusing = true;
    const { acts, rules } = lab((commands) => refusing && commands.includes('add rule'));
    await expect(acts.block({ place: edge, how: 'drop', runId: 'run' })).rejects.toThrow('not permitted');
    refusing = false;
    await acts.block({ place: { service: 'bank' }, how: 'drop', runId: 'run' });
    expect(rules('node')).not.toContain('c_web');
  });

  test('that could not be undone is still undone by the next try', async () => {
    let refusing = false;
    const { acts, rules } = lab(() => refusing);
    const id = await acts.block({ place: edge, how: 'drop', runId: 'run' });
    refusing = true;
    await expect(acts.undo(id)).rejects.toThrow('not permitted');
    refusing = false;
    await acts.undo(id);
    expect(rules('node')).toBe('flush chain inet firedrill faults\n');
  });
});

describe('a delay', () => {
  test('of an edge redirects the callee’s pods, for the caller’s addresses only', async () => {
    const { acts, done, rules } = lab();
    await acts.delay(delaying);
    expect(done.map(({ at }) => at).sort()).toEqual(['p2', 'p3']);
    expect(rules('p2')).toMatch(/ip saddr \{ 198\.18\.1\.1, .* \} tcp dport 8080 redirect to :15001/);
  });

  test('of a component redirects everybody’s requests but the node’s', async () => {
    const { acts, rules } = lab();
    await acts.delay({ ...delaying, place: { service: 'bank' } });
    expect(rules('p4')).toContain('ip saddr != 198.18.0.1 tcp dport 8080 redirect');
  });

  test('holds for a pod that comes up meanwhile, and knows a caller that does', async () => {
    const { acts, living, rules } = lab();
    await acts.delay(delaying);
    living.push(pod('shop-c', 5), pod('web-b', 6));
    await acts.reach(living.at(-2)!);
    expect(rules('p5')).toContain('redirect to :15001');
    await acts.members();
    expect(rules('p2')).toContain('198.18.1.6');
  });

  test('is lifted from the pods that still live, and can be lifted again', async () => {
    const { acts, living, done, rules } = lab();
    const id = await acts.delay(delaying);
    living.splice(1, 1);
    done.length = 0;
    await acts.undo(id);
    await acts.undo(id);
    expect(done.map(({ at }) => at)).toEqual(['p3']);
    expect(rules('p3')).toMatch(/delete table ip firedrill_delay\n$/);
  });

  test('that fails on one of the pods is undone on all of them', async () => {
    const { acts, rules } = lab(() => false, ['p3']);
    await expect(acts.delay(delaying)).rejects.toThrow('delay proxy of shop-b ended with 1: address in use');
    expect(rules('p2')).toMatch(/^(add table ip firedrill_delay\ndelete table ip firedrill_delay\n)?$/);
  });
});
