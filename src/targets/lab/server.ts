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
    throw new Unreachable(`${name} ended with ${how} before it was ready: ${lastErrors(running.complaint())}`);
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

/** What a log complains of, on one line: its last errors, out of logfmt only message and error; else its last line. */
export const lastErrors = (log: string): string => {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /\b(error|fatal|panic)\b/i.test(line));
  return (errors.length > 0 ? errors.slice(-3) : lines.slice(-1)).map(gist).join('; ') || 'no message';
};

const gist = (line: string): string => {
  const field = (key: string): string | undefined => {
    const text = new RegExp(`\\b${key}=("(?:[^"\\\\]|\\\\.)*"|\\S+)`).exec(line)?.[1];
    return text?.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
  };
  return [field('msg'), field('err')].filter(Boolean).join(': ') || line.trim();
};
