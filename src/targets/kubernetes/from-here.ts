// Traffic from this machine, by a process of its own.
import { createInterface } from 'node:readline';
import { Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { start } from '../../process.ts';
import { program } from '../../programs.ts';
import type { LedgerRecord } from '../../traffic/ledger.ts';
import { packed, type TrafficPlan } from '../../traffic/plan.ts';
import { leadMsFor } from '../../traffic/threads.ts';
import { YOUNG } from '../../traffic/young.ts';
import type { Traffic } from '../target.ts';

/** The plan's traffic, ready to go: there is nothing to make ready. */
export const trafficHere = (plan: TrafficPlan): Traffic => ({
  leadMs: leadMsFor(plan),
  run: (startAt, signal) => trafficFromHere(plan, startAt, signal),
  [Symbol.asyncDispose]: async () => undefined,
});

/**
 * Runs the plan's traffic; records come as requests end, in no order. When the signal aborts, what is not over within a second
 * is given up, with a record each. Throws Unreachable when the client fails.
 */
export async function* trafficFromHere(
  plan: TrafficPlan,
  startAt: Nanos,
  signal: AbortSignal,
): AsyncGenerator<LedgerRecord> {
  await using worker = await start({
    name: 'traffic',
    argv: program('../../traffic/worker', import.meta.url, YOUNG),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdin, stdout } = worker.child;
  const lines = createInterface({ input: stdout! });
  stdin!.on('error', () => undefined).write(`${JSON.stringify({ plan: packed(plan), startAt: String(startAt) })}\n`);
  // The end of its input ends the traffic; a signal could come before it listens to any.
  const stop = (): void => void stdin!.end();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of lines) {
      const record = recordIn(line);
      if (record) yield record;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  const how = await worker.ended;
  if (how !== 0) throw new Unreachable(`the traffic client ended with ${how}: ${worker.complaint() || 'no message'}`);
}

/** Null for the summary, and for the half of a line that a client leaves when it is killed. */
const recordIn = (line: string): LedgerRecord | null => {
  try {
    const value = JSON.parse(line) as LedgerRecord | { readonly done: unknown };
    return 'done' in value ? null : value;
  } catch {
    return null;
  }
};
