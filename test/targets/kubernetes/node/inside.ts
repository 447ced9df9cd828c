// A node with two pods, in namespaces of its own: taps it, lets somebody else's rules decide, makes a call, and prints what
// came of it as JSON. Run by tap.test.ts under unshare; all of it is gone when it ends.
import { mkdir, writeFile } from 'node:fs/promises';
import { until } from '../../../../src/poll.ts';
import { run, start } from '../../../../src/process.ts';
import { startTap } from '../../../../src/targets/kubernetes/node/tap.ts';
import type { ObservedFlow } from '../../../../src/targets/lab/flow-observer-wire.ts';
import { tools } from '../../../../src/tools.ts';

/** Rules of somebody else; who calls and at which address and port; how many flows are waited for. */
export type Asked = {
  readonly rules: string;
  readonly from: 'client' | 'node';
  readonly to: string;
  readonly flows: number;
};

const NODE = '198.18.0.1';
const PODS = { client: '198.18.1.1', server: '198.18.1.2' } as const;
const GROUP = 42_451;
const SERVER = `require('node:http').createServer((_, a) => a.end('ok')).listen(8080, () => console.log('up'))`;
const caller = (to: string): string => `
  fetch('http://${to}/orders/7', { signal: AbortSignal.timeout(700), headers: { connection: 'close' } })
    .then((answer) => answer.text(), (error) => error.cause?.code ?? error.name)
    .then((said) => { console.log(said); process.exit(0); });`;

const asked = JSON.parse(process.argv[2]!) as Asked;
const { ip, nft, tcpdump } = await tools(['ip', 'nft', 'tcpdump']);
const node = (text: string, id: string): [string, ...string[]] => {
  const program = [process.execPath, '-e', text] as const;
  return id === 'node' ? [...program] : ['nsenter', `--net=/run/netns/${id}`, '--', ...program];
};
const ipBatch = (batch: string, ...options: string[]): Promise<string> =>
  run({ name: 'ip', argv: [ip.path, ...options, '-batch', '-'], env: ip.env }, batch);
const nftRun = (argv: string[], input = ''): Promise<string> =>
  run({ name: 'nft', argv: [nft.path, ...argv], env: nft.env }, input);

const build = async (): Promise<void> => {
  await run({ name: 'mount', argv: ['mount', '-t', 'tmpfs', 'test', '/run'] });
  await mkdir('/run/netns');
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  // What is nobody's address goes out into the void.
  await ipBatch(
    `link set lo up\naddr add ${NODE}/32 dev lo\nlink add void type bridge\nlink set void up\nroute add default dev void\n`,
  );
  for (const [id, address] of Object.entries(PODS)) await attach(id, address);
};

const attach = async (id: string, address: string): Promise<void> => {
  await ipBatch(
    `netns add ${id}\nlink add v-${id} type veth peer name eth0 netns ${id}\nlink set v-${id} up\nroute add ${address}/32 dev v-${id} src ${NODE}\n`,
  );
  await ipBatch(
    `link set lo up\naddr add ${address}/32 dev eth0\nlink set eth0 up\nroute add ${NODE}/32 dev eth0 scope link\nroute add default via ${NODE} dev eth0\n`,
    '-n',
    id,
  );
};

await build();
const server = await start({ name: 'server', argv: node(SERVER, 'server') });
await new Promise((resolve) => server.child.stdout!.once('data', resolve));
await nftRun(['-f', '-'], asked.rules);
// One that a killed agent has left.
await nftRun(
  ['-f', '-'],
  `table inet firedrill_node_${GROUP} { set watched4 { type ipv4_addr; }; chain stale { }; }\n`,
);
const flows: ObservedFlow[] = [];
let lost = 0;
const onLost = (count: number): void => {
  lost += count;
};
const tap = await startTap({ tcpdump, nft, group: GROUP, onFlow: (flow) => flows.push(flow), onLost });
await tap.watch(Object.values(PODS));
const said = await run({ name: 'call', argv: node(caller(asked.to), asked.from) });
await until('flows', () => (flows.length >= asked.flows ? true : null), { forMs: 5000, everyMs: 20 }).catch(
  () => undefined,
);
await tap[Symbol.asyncDispose]();
const left = (await nftRun(['list', 'tables'])).split('\n').filter((line) => line.includes('firedrill'));
const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
console.log(JSON.stringify({ said: said.trim(), flows, lost, left }, plain));
await server.stop('SIGKILL');
