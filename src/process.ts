// The one place that spawns. Every child is named, has its errors kept, and dies with the scope that started it.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { finished } from 'node:stream/promises';
import { Unreachable } from './errors.ts';
import { until } from './poll.ts';

export type Command = {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Defaults to: nothing in, output and errors piped. */
  readonly stdio?: StdioOptions;
  /** A process group of its own, so that `stop` reaches its children too. */
  readonly group?: boolean;
};

export type Running = AsyncDisposable & {
  readonly name: string;
  readonly child: ChildProcess;
  /** Resolves when the process has ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** The last lines that it wrote to standard error. */
  readonly complaint: () => string;
  /** Asks with SIGTERM (or the signal given), insists with SIGKILL after `graceMs`; resolves when it is gone. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<void>;
};

const KEPT = 4000;

/** Starts a program. One that can't be started rejects `ended`'s twin: the returned promise, as Unreachable. */
export const start = async (command: Command): Promise<Running> => {
  const [file, ...args] = command.argv;
  const child = spawn(file, args, {
    stdio: command.stdio ?? ['ignore', 'pipe', 'pipe'],
    detached: command.group === true,
    ...(command.env ? { env: { ...process.env, ...command.env } } : {}),
    ...(command.cwd ? { cwd: command.cwd } : {}),
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-KEPT);
  });
  // Output that nobody reads must neither fill the pipe nor hold back the end; who wants it listens right after start.
  child.stdout?.resume();
  const ended = endOf(child);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Unreachable(`${command.name}: can't start ${file}: ${error.message}`)));
  });
  child.on('error', () => {});
  const stop = (signal: NodeJS.Signals = 'SIGTERM', graceMs = 3000): Promise<void> =>
    end(child, ended, signal, graceMs, command.group === true);
  return {
    name: command.name,
    child,
    ended,
    complaint: () => errors.trim(),
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
};

/** Ended is: exited, and all that it wrote has been read. (Node's own 'close' never comes when we hang up a pipe ourselves.) */
const endOf = async (child: ChildProcess): Promise<number | string> => {
  const read = [child.stdout, child.stderr].map((stream) => stream && finished(stream).catch(() => undefined));
  const how = await new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 0));
  });
  await Promise.all(read);
  return how;
};

const end = async (
  child: ChildProcess,
  ended: Promise<unknown>,
  signal: NodeJS.Signals,
  graceMs: number,
  group: boolean,
): Promise<void> => {
  const send = (what: NodeJS.Signals): void => {
    try {
      if (child.pid) process.kill(group ? -child.pid : child.pid, what);
    } catch {
      // Already gone.
    }
  };
  if (child.exitCode !== null || child.signalCode !== null) return;
  send(signal);
  const gone = until(
    `end of process ${child.pid}`,
    () => ((child.exitCode ?? child.signalCode) || child.exitCode === 0 ? true : null),
    { forMs: graceMs, everyMs: 20 },
  );
  await gone.catch(() => send('SIGKILL'));
  await ended;
};

/** Runs a program to its end and returns what it wrote; Unreachable, with its last words, when it fails. */
export const run = async (command: Command, input?: string): Promise<string> => {
  const running = await start({ ...command, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
  let output = '';
  running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  running.child.stdin?.on('error', () => {});
  running.child.stdin?.end(input);
  const code = await running.ended;
  if (code !== 0)
    throw new Unreachable(
      `${command.name}: ${command.argv.slice(0, 4).join(' ')} ended with ${code}: ${running.complaint() || 'no message'}`,
    );
  return output;
};
