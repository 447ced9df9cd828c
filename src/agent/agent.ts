// The program of the agent's image: `agent COMMAND '<json>'`. `stay` and `delay` are what an ephemeral container runs; the
// others are run in it, by exec, and speak to it.
import { oneLine, Unreachable, Usage } from '../errors.ts';
import { until } from '../poll.ts';
import { systemClock } from '../time.ts';
import { endCaptures } from './captures.ts';
import { ask, control } from './control.ts';
import { delayHere } from './delay-here.ts';
import { nodeAddresses } from './node-addresses.ts';
import {
  actOrder,
  DELAY,
  delayOrder,
  endOf,
  lookOf,
  renewOrder,
  runOrder,
  type StayOrder,
  stayOrder,
  type Told,
} from './orders.ts';
import { probe, probeOrder } from './probe.ts';

type Command = (order: string | undefined, stop: AbortSignal) => Promise<unknown>;

/** Waits for its deadline or the word to stop; captures that still run are ended then. */
const stay = async (order: StayOrder, stop: AbortSignal): Promise<void> => {
  const told = new AbortController();
  await using _control = await control(lookOf(order.run), async (question) => {
    if ((question as { readonly do: string }).do === 'stop') told.abort();
  });
  await systemClock.sleepUntil(endOf(order), AbortSignal.any([stop, told.signal])).catch(() => undefined);
  await endCaptures();
};

/** Nobody there to be told to stop has stopped. */
const tell = async (words: Told): Promise<void> => {
  const heard = await ask(DELAY, words);
  if (heard === null && words.do !== 'stop') throw new Unreachable('there is no delay in this pod');
};

/** Its container runs some time before it listens; once it has ended nobody could ask in there. */
const LISTENS = { forMs: 5000, everyMs: 50 };

const leave = async (run: string): Promise<void> => {
  await until('an onlooker who listens', () => ask(lookOf(run), { do: 'stop' }), LISTENS);
};

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const COMMANDS: Readonly<Record<string, Command>> = {
  stay: (order, stop) => stay(stayOrder(order), stop),
  delay: (order, stop) => delayHere(delayOrder(order), stop, say),
  ready: (order) => tell({ do: 'ready', ...actOrder(order) }),
  callers: (order) => tell({ do: 'renew', ...renewOrder(order) }),
  stop: (order) => tell({ do: 'stop', ...actOrder(order) }),
  leave: async (order) => leave(runOrder(order).run),
  probe: (order) => probe(probeOrder(order)),
  node: () => nodeAddresses(),
  'end-captures': () => endCaptures(),
};

const main = async ([name = '', order]: readonly string[]): Promise<void> => {
  const command = COMMANDS[name];
  if (!command) throw new Usage(`usage: agent ${Object.keys(COMMANDS).join('|')} '<json>'`);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const answer = await command(order, stop.signal);
  if (answer !== undefined) say(JSON.stringify(answer));
};

if (import.meta.main)
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`agent: ${oneLine(error)}\n`);
    process.exitCode = error instanceof Usage ? 64 : 1;
  });
