// A pod and a client as the kernel knows them: two network namespaces with a cable between, inside a user namespace of
// their own, so that no rights are needed and nothing is left.
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oneLine } from '../../src/errors.ts';
import { until } from '../../src/poll.ts';
import { type Running, run, start } from '../../src/process.ts';
import { firstLine } from '../../src/targets/lab/acts.ts';
import { tools } from '../../src/tools.ts';

const AGENT = fileURLToPath(new URL('../../src/agent/agent.ts', import.meta.url));
export const POD = '198.18.9.1';
export const CLIENT = '198.18.9.2';
export const PORT = 8080;

const found = await tools(['nft', 'ip']).catch((error: unknown) => {
  console.warn(`skipped: ${oneLine(error)}`);
  return null;
});
const env = found && {
  ...found.ip.env,
  ...found.nft.env,
  PATH: [dirname(found.nft.path), process.env.PATH].join(delimiter),
};

export type Pod = AsyncDisposable & {
  /** One of the agent's commands in the pod, running. */
  agent(command: string, order: unknown): Promise<Running>;
  /** The same to its end; rejects with its complaint. */
  ask(command: string, order: unknown, where?: 'pod' | 'client'): Promise<string>;
  /** nftables' rules in the pod. */
  rules(): Promise<string>;
};

/** Null, after saying why, where no namespaces are to be had. */
export const pod = async (): Promise<Pod | null> => {
  if (!found || !env) return null;
  const stack = new AsyncDisposableStack();
  try {
    const pod = stack.use(await start({ name: 'pod', argv: ['unshare', '-Urn', 'sleep', '300'] }));
    const inPod = within(pod, '-U', '--preserve-credentials');
    await until(
      'the pod',
      () => run({ name: 'true', argv: [...inPod, 'ip', 'link', 'set', 'lo', 'up'] }).then(() => true),
      SOON,
    );
    const client = stack.use(await start({ name: 'client', argv: [...inPod, 'unshare', '-n', 'sleep', '300'] }));
    const inClient = within(client, '-U', '--preserve-credentials');
    await until('the client', () => wired(found.ip.path, inPod, inClient, client), SOON);
    const server = stack.use(await start({ name: 'server', argv: [...inPod, process.execPath, '-e', SERVER] }));
    await firstLine(server);
    const command = (within: readonly string[], name: string, order: unknown) =>
      ({
        name: `agent ${name}`,
        argv: [
          ...within,
          process.execPath,
          '--disable-warning=ExperimentalWarning',
          AGENT,
          name,
          JSON.stringify(order),
        ] as unknown as [string],
        env,
      }) as const;
    return {
      agent: async (name, order) => stack.use(await start(command(inPod, name, order))),
      ask: (name, order, where = 'pod') => run(command(where === 'pod' ? inPod : inClient, name, order)),
      rules: () => run({ name: 'nft', argv: [...inPod, found.nft.path, 'list', 'ruleset'], env }),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    console.warn(`skipped: no network namespaces: ${oneLine(error)}`);
    return null;
  }
};

const SOON = { forMs: 5000, everyMs: 20 };
const SERVER = `require('http').createServer((_, s) => s.end('ok')).listen(${PORT}, () => console.log('up'))`;

const within = ({ child }: Running, ...more: string[]): [string, ...string[]] => [
  'nsenter',
  `-t${child.pid}`,
  '-n',
  ...more,
  '--',
];

/** Null until the client is in a namespace of its own. */
const wired = async (
  ip: string,
  inPod: readonly string[],
  inClient: readonly string[],
  client: Running,
): Promise<true | null> => {
  const at = (where: readonly string[], commands: string) =>
    run({ name: 'ip', argv: [...where, ip, '-batch', '-'] as unknown as [string] }, commands);
  const own = (where: readonly string[]) =>
    run({ name: 'readlink', argv: [...where, 'readlink', '/proc/self/ns/net'] as unknown as [string] });
  if ((await own(inPod)) === (await own(inClient))) return null;
  await at(
    inPod,
    `link add eth0 type veth peer name c0 netns ${client.child.pid}\naddr add ${POD}/24 dev eth0\nlink set eth0 up\n`,
  );
  await at(inClient, `link set c0 name eth0\naddr add ${CLIENT}/24 dev eth0\nlink set eth0 up\nlink set lo up\n`);
  return true;
};
