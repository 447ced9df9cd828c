// The traffic client as a program of its own, so that it runs where users are and no other work delays it.
// In: one line {"plan", "startAt"}, the plan packed, the start in nanoseconds as a string; the end of the input ends the traffic.
// Out: one line for every ledger record, and {"done": summary} as the last. Exit codes: 0, or 64 for bad input.
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
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

const main = async (): Promise<void> => {
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  // Not once: a second signal, default again, would kill it before the ledger is out.
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const input = createInterface({ input: process.stdin }).once('close', stop);
  const lines = input[Symbol.asyncIterator]();
  const { plan, startAt } = job((await lines.next()).value);
  // process.stdout blocks on a full pipe; a reader who is slow must not make the traffic late.
  const output = createWriteStream('', { fd: 1, autoClose: false });
  await tellFromThreads({ plan, startAt, output, ending });
  input.close();
  process.stdin.destroy();
};

await main().catch((error: unknown) => {
  process.stderr.write(`${oneLine(error)}\n`);
  process.exit(error instanceof Usage ? 64 : 70);
});
