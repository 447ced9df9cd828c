// A node with two pods, in namespaces of its own: taps it, lets somebody else's rules decide, and prints the flows that were
// told, a JSON line each. Run by tap.test.ts under unshare; all of it is gone when it ends.
import { mkdir, writeFile } from 'node:fs/promises';
import { until } from '../../../../src/poll.ts';
import { run, start } from '../../../../src/process.ts';
import { startTap } from '../../../../src/targets/kubernetes/node/tap.ts';
import type { ObservedFlow } from '../../../../src/targets/lab/flow-observer-wire.ts';
import { tools } from '../../../../src/tools.ts';

const NODE = '198.18.0.1';
const PODS = { client: '198.18.1.1', server: '198.18.1.2' } as const;
const SERVICE = '198.18.9.9';
const GROUP = 42_451;

/** What is asked for: rules of somebody else, whom the client calls, and how many flows are waited for. */
type Asked = { readonly rules: string; readonly to: string; readonly from: 'client' | 'node'; readonly flows: number };

const asked = JSON.parse(process.argv[2]!) as Asked;
const { ip, nft, tcpdump } = await tools(['ip', 'nft', 'tcpdump']);
const ipBatch = (batch: string, ...options: string[]): Promise<string> =>
  run({ name: 'ip', argv: [ip.path, ...options, '-batch', '-'], env: ip.env }, batch);
const within = (id: string): [string, ...string[]] => ['nsenter', `--net=/run/netns/${id}`, '--'];
const rules = (text: string): Promise<string> => run({ name: 'nft', argv: [nft.path, '-f', '-'], env: nft.env }, text);

await run({ name: 'mount', argv: ['mount', '-t', 'tmpfs', 'test', '/run'] });
await mkdir('/run/netns');
await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
await ipBatch(
  `link set lo up\naddr add ${NODE}/32 dev lo\nlink add void type bridge\nlink set void up\nroute add default dev void\n`,
);
for (const [id, address] of Object.entries(PODS)) {
  await ipBatch(
    `netns add ${id}\nlink add v-${id} type veth peer name eth0 netns ${id}\nlink set v-${id} up\nroute add ${address}/32 dev v-${id} src ${NODE}\n`,
  );
  await ipBatch(
    `link set lo up\naddr add ${address}/32 dev eth0\nlink set eth0 up\nroute add ${NODE}/32 dev eth0 scope link\nroute add default via ${NODE} dev eth0\n`,
    '-n',
    id,
  );
}
const node = (text: string): [string, ...string[]] => [process.execPath, '-e', text];
await using server = await start({
  name: 'server',
  argv: [
    ...within('server'),
    ...node(`require('http').createServer((_, a) => a.end('ok')).listen(8080, () => console.log('up'))`),
  ],
});
await new Promise((resolve) => server.child.stdout!.once('data', resolve));

await rules(asked.rules);
const flows: ObservedFlow[] = [];
let lost = 0;
const tap = await startTap({
  tcpdump,
  nft,
  group: GROUP,
  onFlow: (flow) => flows.push(flow),
  onLost: (count) => {
    lost += count;
  },
});
await tap.watch(Object.values(PODS));
const call = `fetch('http://${asked.to}/orders/7', { signal: AbortSignal.timeout(700), headers: { connection: 'close' } }).then((a) => a.text(), (e) => String(e.cause ?? e)).then((said) => { console.log(said); process.exit(0); })`;
const said = await run({
  name: 'client',
  argv: [...(asked.from === 'node' ? [] : within('client')), ...node(call)] as never,
});
await until('the flows', () => (flows.length >= asked.flows ? true : null), { forMs: 5000, everyMs: 20 }).catch(
  () => undefined,
);
await tap[Symbol.asyncDispose]();
const left = await run({ name: 'nft', argv: [nft.path, 'list', 'tables'], env: nft.env });
const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
console.log(JSON.stringify({ said: said.trim(), flows, lost, left }, text));
await server.stop('SIGKILL');

export type { Asked };
export { SERVICE };
