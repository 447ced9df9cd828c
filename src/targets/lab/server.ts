// A real server program of the lab: start it, wait until it says that it is ready, and say in one line why it isn't.
import { createServer } from 'node:net';
import { request } from 'undici';
import { Unreachable } from '../../errors.ts';
import { until } from '../../poll.ts';
import { type Running, start } from '../../process.ts';
import type { ToolPath } from './config.ts';

export type ServerProgram = {
  readonly name: string;
  readonly tool: ToolPath;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dir: string;
  readonly host: string;
  readonly port: number;
};

const READY = { forMs: 20_000, everyMs: 20 };

/**
 * Starts a program of Prometheus's family on that port and resolves once its /-/ready answers 200. Throws Unreachable when
 * the port is taken, and with the program's own last error when it ends before it is ready.
 */
export const startServer = async ({ name, tool, args, env, dir, host, port }: ServerProgram): Promise<Running> => {
  await mustBeFree(name, host, port);
  const argv: [string, ...string[]] = [tool.path, ...args];
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'ignore', 'pipe'];
  const running = await start({ name, argv, cwd: dir, env: { ...tool.env, ...env }, stdio });
  const over = running.ended.then((how) => {
    throw new Unreachable(`${name} ended with ${how} before it was ready: ${lastError(running.complaint())}`);
  });
  const given = new AbortController();
  try {
    await Promise.race([
      over,
      until(`${name} to be ready`, () => isReady(`http://${host}:${port}/-/ready`), { ...READY, signal: given.signal }),
    ]);
    return running;
  } catch (error) {
    await running.stop();
    throw error;
  } finally {
    given.abort();
  }
};

// Whoever has the port might answer in its place.
const mustBeFree = (name: string, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(new Unreachable(`${name} can't have ${host}:${port}: ${error.message}`)));
    server.listen(port, host, () => server.close(() => resolve()));
  });

const isReady = async (url: string): Promise<true | null> => {
  const { statusCode, body } = await request(url);
  await body.dump();
  return statusCode === 200 ? true : null;
};

/** The last line of a log that is an error, out of logfmt its error and message. */
export const lastError = (log: string): string => {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const line =
    lines.findLast((one) => /\b(level=error|error|fatal|panic)\b/i.test(one)) ?? lines.at(-1) ?? 'no message';
  const field = (key: string): string | undefined => {
    const text = new RegExp(`\\b${key}=("(?:[^"\\\\]|\\\\.)*"|\\S+)`).exec(line)?.[1];
    return text?.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
  };
  return [field('msg'), field('err')].filter(Boolean).join(': ') || line.trim();
};
