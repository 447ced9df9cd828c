import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { run } from '../../../../src/process.ts';
import { UNSHARE } from '../../../../src/targets/lab/lab.ts';
import { mayUnshare } from '../../../../src/targets/lab/namespaces.ts';
import type { Asked } from './inside.ts';

type Flow = {
  readonly at: string;
  readonly verdict: string;
  readonly source: { readonly ip: string };
  readonly destination: { readonly ip: string; readonly port: number };
  readonly flags: readonly string[];
  readonly reply: boolean;
  readonly http: { readonly type: string } | null;
};
type Told = {
  readonly said: string;
  readonly flows: readonly Flow[];
  readonly lost: number;
  readonly left: readonly string[];
};

const INSIDE = fileURLToPath(new URL('./inside.ts', import.meta.url));
const POD = '198.18.1.2:8080';
const SERVICE = '198.18.9.9:80';

const told = async (asked: Partial<Asked>): Promise<Told> => {
  const whole: Asked = { rules: '', from: 'client', to: POD, flows: 8, ...asked };
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', INSIDE, JSON.stringify(whole)];
  const argv = [...UNSHARE, ...node] as unknown as [string, ...string[]];
  return JSON.parse(await run({ name: 'inside', argv, env: { NODE_OPTIONS: '' } })) as Told;
};

const words = ({ flows }: Told): string[] =>
  flows.map(
    ({ verdict, flags, reply, http }) => `${verdict} ${reply ? '<' : '>'} ${http ? http.type : flags.join(' ')}`,
  );

const hooked = (hook: string, rule: string): string =>
  `table ip other { chain x { type filter hook ${hook}; ${rule}; }; }`;
const translated = (hook: string): string =>
  `table ip other { chain x { type nat hook ${hook} priority -100; ip daddr 198.18.9.9 tcp dport 80 dnat to ${POD}; }; }`;

/** The two ends may close in either order, so these are not in here. */
const ANSWERED = ['> SYN', '< SYN ACK', '> ACK PSH', '> REQUEST', '< ACK PSH', '< RESPONSE'];
const all = (verdict: string): string[] => ANSWERED.map((one) => `${verdict} ${one}`);
const closings = (one: Told): string[] => words(one).slice(ANSWERED.length).sort();

const possible = await mayUnshare().then(
  () => true,
  () => false,
);
// Where namespaces can't be made there is no kernel to be asked; `firedrill doctor` says why.
const inside = possible ? describe : describe.skip;

inside('the tap, on a real kernel', () => {
  test('tells a connection that nobody hinders as forwarded, in order, and leaves nothing behind', async () => {
    const one = await told({});
    expect(words(one).slice(0, ANSWERED.length)).toEqual(all('FORWARDED'));
    expect(closings(one)).toEqual(['FORWARDED < ACK FIN', 'FORWARDED > ACK FIN']);
    expect(one).toMatchObject({ said: 'ok', lost: 0, left: [] });
  }, 20_000);

  test.each([
    ['before all others in the forward hook', 'client', 'forward priority -2147483648', 'drop'],
    ['where policies usually do', 'client', 'forward priority 0', 'drop'],
    ['after all others in the forward hook', 'client', 'forward priority 2147483647', 'drop'],
    ['in postrouting, as kindnet does', 'client', 'postrouting priority 95', 'drop'],
    ['when the node itself calls', 'node', 'output priority 0', 'drop'],
    ['and answers that it did', 'client', 'forward priority 0', 'reject'],
    ['and answers with a reset', 'client', 'forward priority 0', 'reject with tcp reset'],
  ] as const)(
    'tells a packet as dropped that somebody else drops %s',
    async (_, from, hook, how) => {
      const one = await told({ from, flows: 1, rules: hooked(hook, `tcp dport 8080 ${how}`) });
      expect(words(one)[0]).toBe('DROPPED > SYN');
      expect(words(one).filter((word) => word.startsWith('FORWARDED >'))).toEqual([]);
      expect(one).toMatchObject({ lost: 0, said: how === 'drop' ? 'TimeoutError' : 'ECONNREFUSED' });
    },
    20_000,
  );

  test('tells a packet as dropped that was dropped on its way back', async () => {
    const one = await told({ flows: 2, rules: hooked('forward priority 0', 'tcp sport 8080 drop') });
    expect(words(one).slice(0, 2)).toEqual(['FORWARDED > SYN', 'DROPPED < SYN ACK']);
  }, 20_000);

  test.each([
    ['a pod', 'client', 'prerouting'],
    ['the node itself', 'node', 'output'],
  ] as const)(
    'tells a call of %s to a Service as one to the pod behind it, no answer before its question',
    async (_, from, hook) => {
      const one = await told({ from, to: SERVICE, rules: translated(hook) });
      expect(words(one).slice(0, ANSWERED.length)).toEqual(all('FORWARDED'));
      expect(one.flows[0]!.destination).toMatchObject({ ip: '198.18.1.2', port: 8080 });
      const times = one.flows.map(({ at }) => BigInt(at));
      expect(times.every((at, i) => i === 0 || at >= times[i - 1]!)).toBe(true);
    },
    20_000,
  );

  test('tells a call to a Service without pods, which the node rejects, as dropped on its way to the Service', async () => {
    const one = await told({
      to: SERVICE,
      flows: 1,
      rules: hooked('forward priority 0', 'ip daddr 198.18.9.9 reject'),
    });
    expect(words(one)[0]).toBe('DROPPED > SYN');
    expect(one.flows[0]!.destination).toMatchObject({ ip: '198.18.9.9', port: 80 });
  }, 20_000);
});
