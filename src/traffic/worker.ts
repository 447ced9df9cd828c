// The traffic client as a program of its own, so that it runs where users are and no other work delays it.
// In: one line {"plan", "startAt"}, the plan packed, the start in nanoseconds as a string; the end of the input ends the traffic.
// Out: one line for every ledger record, and {"done": summary} as the last. Exit codes: 0, or 64 for bad input.
import { createWriteStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { oneLine, Usage } from '../errors.ts';
import type { Nanos } from '../model.ts';
import { type TrafficPlan, unpacked } from './plan.ts';
import { tellFromThreads } from './threads.ts';

type Job = { readonly plan: TrafficPlan; readonly startAt: Nanos };

const job = (line: string | undefined): Job => {
  try {
    const { plan: told, startAt } = JSON.parse(line ?? '') as { plan: TrafficPlan; startAt: string };
    const plan = unpacked(told);
    if (!(plan.input || Array.isArray(plan.requests)) || !URL.canParse(plan.url)) throw new Error('no plan');
    return { plan, startAt: BigInt(startAt) };
  } catch (error) {
    throw new Usage(`traffic worker: the first line must be {"plan": …, "startAt": "nanoseconds"}: ${oneLine(error)}`);
  }
};

/**
 * A reader who is slow must not make the traffic late, as process.stdout would, which blocks on a full pipe. Nor may a stream of
 * files write into one: Node's first thread makes it non-blocking, and such a stream gives up soon where it finds no room.
 */
const standardOutput = (): Writable => {
  const kind = fstatSync(1);
  if (kind.isFIFO() || kind.isSocket()) return new Socket({ fd: 1, readable: false, writable: true });
  return createWriteStream('', { fd: 1, autoClose: false });
};

const main = async (): Promise<void> => {
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  // Not once: a second signal, default again, would kill it before the ledger is out.
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const input = createInterface({ input: process.stdin }).once('close', stop);
  const lines = input[Symbol.asyncIterator]();
  const { plan, startAt } = job((await lines.next()).value);
  await tellFromThreads({ plan, startAt, output: standardOutput(), ending });
  input.close();
  process.stdin.destroy();
};

await main().catch((error: unknown) => {
  process.stderr.write(`${oneLine(error)}\n`);
  process.exit(error instanceof Usage ? 64 : 70);
});
