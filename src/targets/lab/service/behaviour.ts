// What an endpoint does when asked: its own work, now and then an error of its own, then its calls in order.

import type { CallProfile, EndpointProfile } from '../../../platform.ts';
import { fromMs, milliseconds, systemClock } from '../../../time.ts';
import type { Random } from '../../../traffic/random.ts';
import { type Answer, type Asking, type Calls, failure } from './calls.ts';
import { logNormal } from './work.ts';

/** The status to answer with; `error` is null when all went well. */
export type Outcome = { readonly status: number; readonly error: string | null };

/** Does what the endpoint's profile says. Working takes time, not processor: a busy lab must not look like a slow pod. */
export const behave = async (it: EndpointProfile, asking: Asking, calls: Calls, draw: Random): Promise<Outcome> => {
  const median = milliseconds(it.work);
  const work = logNormal(draw, median, it.p99 ? milliseconds(it.p99) : 3 * median);
  await systemClock.sleepUntil(systemClock.now() + fromMs(work));
  if (draw() < it.errors) return { status: 500, error: 'internal error' };
  for (const call of it.calls) {
    if (draw() >= call.share) continue;
    const failed = consequence(call, await calls(call, asking));
    if (failed) return failed;
  }
  return { status: 200, error: null };
};

/** RFC 9110, sections 15.6.3 to 15.6.5: 502 for no answer or a bad one, 504 for none in time, 503 for nobody to ask. */
const consequence = (call: CallProfile, answer: Answer): Outcome | null => {
  const error = failure(call.to, answer);
  if (error === null || call.optional) return null;
  const status = answer.kind === 'timeout' ? 504 : answer.kind === 'nobody' ? 503 : 502;
  return { status, error: answer.kind === 'answered' ? error : `${call.to}: ${error}` };
};
