// Tells the story of a drill as it happens.
import type { Listeners } from '../drill.ts';
import type { Look } from '../evidence.ts';
import type { Entry } from '../history.ts';
import type { LayerName } from '../model.ts';
import type { Plan } from '../plan.ts';
import type { Progress } from '../progress.ts';
import type { Endpoints } from '../targets/target.ts';
import { failed, type LedgerRecord } from '../traffic/ledger.ts';

export type Narrator = { readonly on: Listeners; up(endpoints: Endpoints): void };

export const narrator = (show: Progress): Narrator => {
  const counts = { ended: 0, failed: 0 };
  const items = new Map<LayerName, number>();
  let phase = 'starting';
  const now = (): void => {
    const seen = [...items].map(([layer, n]) => `${layer} ${n}`).join(', ');
    show.now(
      `${phase}: ${counts.ended} requests answered or failed (${counts.failed} failed)${seen ? `; seen ${seen}` : ''}`,
    );
  };
  return {
    up: (endpoints) => show.say(`ready; Jaeger API ${endpoints.jaeger}, Prometheus ${endpoints.prometheus}`),
    on: {
      plan: (plan: Plan) => show.say(planLine(plan)),
      entry: (entry: Entry) => {
        if (entry.type === 'phase') phase = entry.name;
        const line = words(entry);
        if (line) show.say(`  ${entry.at.slice(11, 23)}  ${line}`);
      },
      record: (record: LedgerRecord) => {
        counts.ended += 1;
        if (failed(record)) counts.failed += 1;
        now();
      },
      look: (look: Look) => {
        items.set(look.layer, (items.get(look.layer) ?? 0) + look.items);
        now();
      },
    },
  };
};

const planLine = (plan: Plan): string => {
  const seconds = Math.round(plan.phases.at(-1)!.until / 1000);
  return [
    `${plan.scenario} (about ${seconds} s; run ${plan.runId}, seed ${plan.seed})`,
    `  hurts: ${plan.radius.hurts}`,
    ...plan.warnings.map((line) => `  warning: ${line}`),
  ].join('\n');
};

const words = (entry: Entry): string | null => {
  switch (entry.type) {
    case 'phase':
      return entry.name;
    case 'intent':
      return `${entry.act}: ${entry.on}`;
    case 'witness':
      return `${entry.holds ? 'witnessed' : 'NOT witnessed'}: ${entry.says}`;
    case 'healed':
      return 'healed';
    case 'aborted':
    case 'not-injected':
    case 'cut-short':
    case 'still-broken':
      return `${entry.type}: ${entry.why}`;
    default:
      return null;
  }
};
