// Work that a component does by itself, every so often.
import type { EndpointProfile } from '../../../platform.ts';
import { during } from '../../../poll.ts';
import { after, milliseconds, systemClock, toMs } from '../../../time.ts';
import type { Random } from '../../../traffic/random.ts';
import type { Outcome } from './behaviour.ts';
import { type Asking, round } from './calls.ts';
import { carried } from './carried.ts';
import { type PodConfig, playedBy } from './config.ts';
import type { Log } from './log.ts';
import { endSpan, type Tracing } from './tracing.ts';

type Tools = {
  readonly behave: (it: EndpointProfile, asking: Asking) => Promise<Outcome>;
  readonly tracing: Tracing;
  readonly log: Log;
  readonly draw: Random;
  readonly signal: AbortSignal;
};

const FOREVER_MS = 365 * 24 * 3_600_000;

/** Starts them; each at a random point of its first period, so that pods do not tick in step. Ends with the signal. */
export const startTicks = (config: PodConfig, tools: Tools): void => {
  const { ticks, endpoints } = playedBy(config);
  for (const { every, request } of ticks) {
    const everyMs = milliseconds(every);
    const polling = { forMs: FOREVER_MS, everyMs, signal: tools.signal };
    const run = (): Promise<void> => tick(request, endpoints[request]!, tools);
    const cancel = after(tools.draw() * everyMs, () => void during(run, polling));
    tools.signal.addEventListener('abort', cancel, { once: true });
  }
};

const tick = async (request: string, it: EndpointProfile, { behave, tracing, log }: Tools): Promise<void> => {
  const by = carried({});
  const span = tracing.ticking(request, by);
  const started = systemClock.now();
  const { status, error } = await behave(it, { by, params: {}, within: span });
  endSpan(span, null, error, String(status));
  const context = { tick: request, duration_ms: round(toMs(systemClock.now() - started)), error: error ?? undefined };
  if (error === null) log('INFO', 'tick done', by, context);
  else log('ERROR', 'tick failed', by, context);
};
