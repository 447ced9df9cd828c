import { describe, expect, test } from '@jest/globals';
import { Unreachable, Usage } from '../../../src/errors.ts';
import { until } from '../../../src/poll.ts';
import { agentsOf } from '../../../src/targets/kubernetes/agents.ts';
import { Refused } from '../../../src/targets/kubernetes/cluster.ts';
import { atMost } from '../../../src/targets/kubernetes/limit.ts';
import { foundPod, shop } from './agents-cluster.ts';

const web = foundPod('web-a', 1);
const waiting = (reason: string) => ({ starts: () => ({ waiting: { reason, message: 'as the kubelet says' } }) });
const delaying = { act: 'a1', ip: web.ip, port: 8080, addMs: 1, jitterMs: 0, tag: null, seed: 1, who: { only: [] } };

describe('an onlooker', () => {
  test('is put into a pod once, by the run’s name, and used by all who ask', async () => {
    const it = shop([web]);
    const agents = agentsOf(it.ground);
    const both = await Promise.all([agents.look(web), agents.look(web)]);
    expect(both[0]).toEqual({ namespace: 'shop', pod: 'web-a', container: 'firedrill-look-abc' });
    expect(both[1]).toEqual(both[0]);
    await agentsOf(it.ground).look(web);
    expect(it.containers('web-a')).toHaveLength(1);
  });

  test('has the least rights: none but those of tcpdump, and only when there are captures', async () => {
    const rights = async (captures: boolean, kind: 'look' | 'delay') => {
      const it = shop([web]);
      const agents = agentsOf(it.ground, captures);
      await (kind === 'look' ? agents.look(web) : agents.delay(web, delaying));
      const { securityContext, image, imagePullPolicy } = it.containers('web-a')[0]!;
      expect({ image, imagePullPolicy }).toEqual({ image: 'agent:1', imagePullPolicy: 'IfNotPresent' });
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        runAsUser: 0,
        readOnlyRootFilesystem: true,
      });
      expect(securityContext?.capabilities?.drop).toEqual(['ALL']);
      return securityContext?.capabilities?.add;
    };
    expect(await rights(true, 'look')).toEqual(['NET_RAW', 'SETGID']);
    expect(await rights(false, 'look')).toEqual([]);
    expect(await rights(false, 'delay')).toEqual(['NET_ADMIN']);
  });

  test('is told its deadline', async () => {
    const it = shop([web]);
    await agentsOf(it.ground).look(web);
    const [command, order] = it.containers('web-a')[0]!.args!;
    expect(command).toBe('stay');
    expect(JSON.parse(order!)).toEqual({ run: 'abc', until: expect.stringMatching(/Z$/) });
  });

  test('that has ended is followed by one of another name, since names can’t be used again', async () => {
    const it = shop([web]);
    const first = await agentsOf(it.ground).look(web);
    it.ends(first);
    expect((await agentsOf(it.ground).look(web)).container).toBe('firedrill-look-abc-2');
  });

  test('is ended with the agents', async () => {
    const it = shop([web]);
    const agents = agentsOf(it.ground);
    await agents.look(web);
    await agents[Symbol.asyncDispose]();
    expect(it.running()).toEqual([]);
  });

  test('is asked for again where the server was only away', async () => {
    let tries = 0;
    const refuses = () => (++tries < 3 ? new Unreachable('connection reset') : null);
    const it = shop([web], { refuses });
    expect((await agentsOf(it.ground).look(web)).pod).toBe('web-a');
  });
});

describe('a pod that takes no agent', () => {
  const look = (it: ReturnType<typeof shop>, pod = web) => agentsOf(it.ground).look(pod);

  test.each(['ErrImageNeverPull', 'ImagePullBackOff', 'CreateContainerError'])('%s is told at once', async (reason) => {
    await expect(look(shop([web], waiting(reason)))).rejects.toThrow(
      `pod shop/web-a takes no agent: ${reason}: image agent:1: as the kubelet says`,
    );
  });

  test('because of PodSecurity: the server’s words and what an administrator can do', async () => {
    const refuses = () => new Refused('violates PodSecurity "baseline:latest"', 403);
    await expect(look(shop([web], { refuses }))).rejects.toThrow(
      /^pod shop\/web-a takes no agent: violates PodSecurity "baseline:latest"; .*kubectl label namespace shop /,
    );
  });

  test('because its agent ended at once: the agent’s last words', async () => {
    const starts = () => ({ terminated: { exitCode: 1, message: 'ready\nagent: no nft\n' } });
    await expect(look(shop([web], { starts }))).rejects.toThrow('takes no agent: agent: no nft');
  });

  test('because it is gone, or another has its name now', async () => {
    await expect(look(shop([]))).rejects.toThrow('pod shop/web-a takes no agent: it is gone');
    const successor = foundPod('web-a', 9, { uid: 'another' });
    await expect(look(shop([successor]))).rejects.toThrow('takes no agent: it is gone');
  });

  test('because it is on its node’s network, or in a namespace that may not be touched', async () => {
    const it = shop([web]);
    await expect(look(it, foundPod('web-a', 1, { hostNetwork: true }))).rejects.toThrow(
      'on its node’s network'.replace('’', "'"),
    );
    await expect(look(it, foundPod('web-a', 1, { namespace: 'other' }))).rejects.toThrow(Usage);
    expect(it.containers('web-a')).toHaveLength(0);
  });
});

test('an agent’s command that fails tells its complaint, and where', async () => {
  const it = shop([web], { exec: async () => ({ code: 1, out: '', err: 'agent: no\n' }) });
  const agents = agentsOf(it.ground);
  await expect(agents.tell(await agents.look(web), 'probe', {})).rejects.toThrow(
    'container firedrill-look-abc of pod shop/web-a: agent: no',
  );
});

test('a few things are done at a time, in order, also after one has failed', async () => {
  const limited = atMost(2);
  let now = 0;
  let most = 0;
  const open: (() => void)[] = [];
  const all = [0, 1, 2, 3, 4].map((n) =>
    limited(async () => {
      most = Math.max(most, ++now);
      await new Promise<void>((resolve) => open.push(resolve));
      now -= 1;
      if (n === 1) throw new Error('no');
      return n;
    }),
  );
  const settled = Promise.allSettled(all);
  for (let n = 1; n <= 5; n++) {
    await until('the next', () => (open.length > 0 ? true : null), { forMs: 1000, everyMs: 1 });
    open.shift()!();
  }
  expect((await settled).map((one) => (one.status === 'fulfilled' ? one.value : null))).toEqual([0, null, 2, 3, 4]);
  expect(most).toBe(2);
});
