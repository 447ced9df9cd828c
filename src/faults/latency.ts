// Latency: requests to a component, or along one edge, arrive later. By default only this drill's tagged requests do.
import { Usage } from '../errors.ts';
import type { Duration } from '../model.ts';
import type { Hit, Probe } from '../targets/target.ts';
import { milliseconds } from '../time.ts';
import type { Fault, Latency, Witness } from './fault.ts';
import { calleeOf, mustExist, placeOf, refOf, vantage } from './place.ts';

/**
 * Delays requests by `add`, give or take `jitter` (default none). `hit: 'all'` delays everybody's requests; the default,
 * `'tagged'`, only those that carry this drill's tag. Example: `latency('api-gateway->order-service', '300ms')`.
 */
export const latency = (
  on: string,
  add: Duration,
  options: { readonly jitter?: Duration; readonly hit?: Hit } = {},
): Latency => {
  const jitter = options.jitter ?? '0ms';
  if (milliseconds(add, 'latency') <= 0) throw new Usage(`latency of '${add}' would delay nothing`);
  if (milliseconds(jitter, 'jitter') > milliseconds(add))
    throw new Usage(`jitter '${jitter}' is more than the latency '${add}' itself`);
  return { kind: 'latency', on: refOf(on), add, jitter, hit: options.hit ?? 'tagged' };
};

/** A probe is given up after some seconds: one that took this long has shown any delay that is longer. */
const LONGEST_MS = 1500;

export const latencyFault: Fault<Latency> = {
  truth: (spec) => ({ on: spec.on, kinds: ['slow'] }),
  radius: (spec, facts) => {
    mustExist(spec.on, facts);
    const way = spec.on.replace(/^\w+:/, '');
    return spec.hit === 'tagged'
      ? {
          hurts: `tagged requests ${spec.on.startsWith('edge:') ? 'along' : 'to'} ${way}, ${spec.add} later`,
          spares: "every request without this drill's tag",
        }
      : {
          hurts: `every request ${spec.on.startsWith('edge:') ? 'along' : 'to'} ${way}, ${spec.add} later, tagged or not`,
          spares: 'scrapes and health checks from the node',
        };
  },
  inject: async (spec, { target, facts, runId, intend }) => {
    const tag = spec.hit === 'tagged' ? runId : null;
    const knock = (): Promise<Probe> => target.probe(vantage(spec.on, facts), calleeOf(spec.on), tag);
    const before = await knock();
    await intend('delay', `${spec.on} by ${spec.add} (${spec.hit})`);
    const act = await target.delay({
      place: placeOf(spec.on),
      add: spec.add,
      jitter: spec.jitter,
      hit: spec.hit,
      runId,
    });
    const least = Math.min(before.ms + (milliseconds(spec.add) - milliseconds(spec.jitter)) / 2, LONGEST_MS);
    return {
      witness: async (): Promise<Witness> => {
        const now = await knock();
        return {
          says: `probe from ${now.from} to ${now.to}: ${now.outcome} in ${now.ms.toFixed(0)} ms, ${before.ms.toFixed(0)} ms before`,
          holds: now.outcome !== 'refused' && now.ms >= least,
        };
      },
      heal: async () => {
        await intend('undo delay', spec.on);
        await act.undo();
      },
      witnessHealed: async (): Promise<Witness> => {
        const now = await knock();
        return {
          says: `probe from ${now.from} to ${now.to}: ${now.outcome} in ${now.ms.toFixed(0)} ms`,
          holds: now.outcome === 'answered' && now.ms < least,
        };
      },
    };
  },
};
