// No fault: the control. The same traffic, the same looks; whatever an analyzer reports is a false alarm, unless the ledger got worse too.
import type { Fault, NoFault } from './fault.ts';

export const none = (): NoFault => ({ kind: 'none' });

export const noFault: Fault<NoFault> = {
  truth: () => ({ on: null, kinds: [] }),
  radius: () => ({ hurts: 'nobody', spares: 'everybody' }),
  inject: async () => ({
    witness: async () => ({ says: 'nothing was injected', holds: true }),
    heal: async () => undefined,
    witnessHealed: async () => ({ says: 'nothing was to be healed', holds: true }),
  }),
};
