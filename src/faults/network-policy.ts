// Network policy: an edge is cut, or a component is isolated from everybody. Standing connections are cut too.
import { Usage } from '../errors.ts';
import type { Probe } from '../targets/target.ts';
import type { Fault, NetworkPolicy, Witness } from './fault.ts';
import { calleeOf, mustExist, placeOf, refOf, vantage } from './place.ts';

/**
 * Blocks an edge (`a->b`) or isolates a component (`b`): packets vanish (`drop`, the default, as Kubernetes policies do) or
 * are refused (`reject`). Example: `networkPolicy('order-service->matching-engine')`.
 */
export const networkPolicy = (on: string, options: { readonly how?: 'drop' | 'reject' } = {}): NetworkPolicy => ({
  kind: 'networkPolicy',
  on: refOf(on),
  how: options.how ?? 'drop',
});

export const networkPolicyFault: Fault<NetworkPolicy> = {
  truth: (spec) => ({ on: spec.on, kinds: ['blocked'] }),
  radius: (spec, facts) => {
    mustExist(spec.on, facts);
    if (spec.how === 'reject' && facts.lacks.includes('reject'))
      throw new Usage(`${facts.target} has no policy that rejects, only such as drop: use how: 'drop'`);
    return spec.on.startsWith('edge:')
      ? {
          hurts: `every request along ${spec.on.slice(5)}, tagged or not`,
          spares: 'every other way into and out of both',
        }
      : {
          hurts: `every request to and from ${spec.on.slice(8)}, tagged or not`,
          spares: 'scrapes and telemetry',
        };
  },
  inject: async (spec, { target, facts, runId, intend }) => {
    const knock = (): Promise<Probe> => target.probe(vantage(spec.on, facts), calleeOf(spec.on), null);
    await intend('block', `${spec.on} (${spec.how})`);
    const act = await target.block({ place: placeOf(spec.on), how: spec.how, runId });
    return {
      witness: async (): Promise<Witness> => {
        const now = await knock();
        const holds = now.outcome !== 'answered';
        const doubt = holds || !act.ifUnseen ? '' : `; ${act.ifUnseen}`;
        return { says: `probe from ${now.from} to ${now.to}: ${now.outcome}${doubt}`, holds };
      },
      heal: async () => {
        await intend('undo block', spec.on);
        await act.undo();
      },
      witnessHealed: async (): Promise<Witness> => {
        const now = await knock();
        return {
          says: `probe from ${now.from} to ${now.to}: ${now.outcome} in ${now.ms.toFixed(0)} ms`,
          holds: now.outcome === 'answered',
        };
      },
    };
  },
};
