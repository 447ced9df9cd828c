import { afterAll, describe, expect, test } from '@jest/globals';
import { firstLine } from '../../src/targets/lab/acts.ts';
import { fromMs, iso, systemClock } from '../../src/time.ts';
import { CLIENT, POD, PORT, type Pod, pod } from './agent-pod.ts';

const later = (ms: number): string => iso(systemClock.now() + fromMs(ms));
const delaying = (order: object = {}) => ({
  ...{ run: 'r1', act: 'a1', until: later(60_000), ip: POD, port: PORT, addMs: 300, jitterMs: 0, tag: 'r1', seed: 1 },
  who: { only: [CLIENT] },
  ...order,
});

const here = await pod();
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
});

/** A test that needs network namespaces. */
const inPod = (says: string, body: (it: Pod) => Promise<void>): void => {
  if (here) test(says, () => body(here), 30_000);
  else test.skip(says, () => undefined);
};

const took = async (it: Pod, tag: string | null = null): Promise<number> => {
  const order = { url: `http://${POD}:${PORT}/health`, tag, timeoutMs: 5000 };
  const { outcome, ms } = JSON.parse(await it.ask('probe', order, 'client')) as { outcome: string; ms: number };
  expect(outcome).toBe('answered');
  return ms;
};

describe('a delay in a pod', () => {
  inPod('holds back what carries the tag and comes from the callers, until it is told to stop', async (it) => {
    const agent = await it.agent('delay', delaying());
    expect(await firstLine(agent)).toBe('ready');
    await it.ask('ready', { act: 'a1' });
    expect(await took(it, 'r1')).toBeGreaterThanOrEqual(299);
    expect(await took(it, 'r2')).toBeLessThan(299);
    expect(await took(it)).toBeLessThan(299);
    await it.ask('callers', { act: 'a1', who: { only: [] } });
    expect(await took(it, 'r1')).toBeLessThan(299);
    await it.ask('callers', { act: 'a1', who: { only: [CLIENT, '198.18.9.77'] } });
    expect(await took(it, 'r1')).toBeGreaterThanOrEqual(299);
    await it.ask('stop', { act: 'a1' });
    expect(await it.rules()).not.toContain('firedrill');
    expect(await agent.ended).toBe(0);
    expect(await took(it, 'r1')).toBeLessThan(299);
    await it.ask('stop', { act: 'a1' });
  });

  inPod('spares those that are excepted, and only those', async (it) => {
    const agent = await it.agent('delay', delaying({ who: { except: ['198.18.9.77'] } }));
    await firstLine(agent);
    expect(await took(it, 'r1')).toBeGreaterThanOrEqual(299);
    await it.ask('callers', { act: 'a1', who: { except: [CLIENT] } });
    expect(await took(it, 'r1')).toBeLessThan(299);
    await agent.stop();
    expect(agent.child.exitCode).toBe(0);
    expect(await it.rules()).not.toContain('firedrill');
  });

  inPod('ends by itself at its deadline', async (it) => {
    const agent = await it.agent('delay', delaying({ until: later(8000) }));
    expect(await agent.ended).toBe(0);
    expect(await it.rules()).not.toContain('firedrill');
  });

  inPod('is refused while another is in force, which is left alone and listens only to its own name', async (it) => {
    const first = await it.agent('delay', delaying());
    await firstLine(first);
    await expect(it.ask('delay', delaying({ run: 'r2', act: 'a2' }))).rejects.toThrow('already delayed, by run r1');
    await expect(it.ask('stop', { act: 'a2' })).rejects.toThrow('another one, of run r1');
    await expect(it.ask('ready', { act: 'a2' })).rejects.toThrow('another one, of run r1');
    expect(await took(it, 'r1')).toBeGreaterThanOrEqual(299);
    await first.stop();
  });

  inPod('takes the place of one that was killed, whose rules are void soon after', async (it) => {
    const killed = await it.agent('delay', delaying({ addMs: 5000 }));
    await firstLine(killed);
    await killed.stop('SIGKILL');
    expect(await it.rules()).toMatch(/elements = \{ 8080 timeout 10s expires \d/);
    const agent = await it.agent('delay', delaying({ act: 'a3' }));
    await firstLine(agent);
    expect(await took(it, 'r1')).toBeGreaterThanOrEqual(299);
    await agent.stop();
    expect(await it.rules()).not.toContain('firedrill');
  });

  inPod('whose deadline has passed says so in one line and leaves nothing', async (it) => {
    const agent = await it.agent('delay', delaying({ until: later(-1) }));
    expect(await agent.ended).toBe(1);
    expect(agent.complaint()).toMatch(/^agent: the deadline \S+ has passed$/);
    expect(await it.rules()).not.toContain('firedrill');
  });
});

describe('an onlooker', () => {
  inPod('stays until it is told to leave', async (it) => {
    const agent = await it.agent('stay', { run: 'r1', until: later(600_000) });
    await it.ask('leave', { run: 'r1' });
    expect(await agent.ended).toBe(0);
  });

  inPod('leaves when it was told before it could listen', async (it) => {
    const told = it.ask('leave', { run: 'r1' });
    const agent = await it.agent('stay', { run: 'r1', until: later(600_000) });
    await told;
    expect(await agent.ended).toBe(0);
  });

  inPod('ends by itself at its deadline', async (it) => {
    const agent = await it.agent('stay', { run: 'r1', until: later(300) });
    expect(await agent.ended).toBe(0);
  });
});

describe('bad input', () => {
  inPod('is one line and the exit code of a wrong usage', async (it) => {
    for (const [command, order, says] of [
      ['dance', {}, 'usage: agent stay|delay'],
      ['delay', { run: 'r1' }, "the order's until, act, ip, port, addMs, jitterMs, tag, seed, who missing or wrong"],
      ['stay', { run: 'r1', until: 'tomorrow' }, "the order's until missing or wrong"],
      ['ready', { act: 'nobody' }, 'there is no delay in this pod'],
    ] as const) {
      const agent = await it.agent(command, order);
      expect(await agent.ended).toBe(command === 'ready' ? 1 : 64);
      expect(agent.complaint()).toContain(says);
      expect(agent.complaint()).not.toContain('\n');
    }
  });
});
