// The end of the page: expectations, gaps, the plan, and how to judge the run again.
import { inWords } from '../../expect.ts';
import { LAYERS } from '../../model.ts';
import type { Plan } from '../../plan.ts';
import type { Verdict } from '../../verdict.ts';
import { clock, gapGroups } from '../words.ts';
import { bullets, facts } from './head.ts';
import { code } from './layer.ts';
import { h, type Markup } from './markup.ts';

const MOST_GAPS = 40;

export const tail = (verdict: Verdict, plan: Plan): Markup => h`
<section aria-labelledby="expectations"><h2 id="expectations">Expectations</h2>${expectations(verdict)}</section>
<section aria-labelledby="gaps"><h2 id="gaps">Gaps</h2>${gaps(verdict)}</section>
<section aria-labelledby="plan"><h2 id="plan">The plan</h2>${planned(plan)}</section>
<section aria-labelledby="again"><h2 id="again">Judge it again</h2>${again(verdict)}</section>`;

const expectations = ({ expectations: all }: Verdict): Markup => {
  if (all.length === 0) return h`<p class="note">The scenario has none beyond the grades.</p>`;
  return h`<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">holds</th><th scope="col">expectation</th><th scope="col">why</th><th scope="col">evidence</th></tr></thead>
<tbody>${all.map(
    ({ says, holds, why, evidence }) => h`
<tr><td class="${holds ? 'yes' : 'miss'}">${holds === null ? 'unknown' : holds ? 'yes' : 'no'}</td><td class="says">${says}</td><td>${why}</td><td class="says">${evidence.join('\n')}</td></tr>`,
  )}</tbody></table></div>`;
};

const gaps = ({ gaps: all }: Verdict): Markup => {
  const groups = gapGroups(all);
  if (groups.length === 0) return h`<p class="note">None: every question was answered.</p>`;
  return h`<p>Questions that got no answer. That is never the same as “nothing there”.</p>
<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">layer</th><th scope="col">times</th><th scope="col">about, UTC</th><th scope="col">why</th><th scope="col">a query of them</th></tr></thead>
<tbody>${groups.slice(0, MOST_GAPS).map(
    ({ layer, count, from, until, why, query }) => h`
<tr><th scope="row">${layer}</th><td class="number">${count}</td><td class="number">${clock(from)} – ${clock(until)}</td><td class="says">${why}</td><td class="says"><code>${query}</code></td></tr>`,
  )}</tbody></table></div>${groups.length > MOST_GAPS ? h`<p class="note">${groups.length - MOST_GAPS} more kinds are in verdict.json.</p>` : null}`;
};

const planned = (plan: Plan): Markup => h`
${facts([
  ['traffic', traffic(plan)],
  ['crosses the fault', plan.crossing ? plan.crossing.join(', ') : 'not applicable'],
  ['each layer is asked', `every ${plan.lookEvery / 1000} s`],
  ['steady state', `${plan.steadyState.answered * 100} % answered, p99 at most ${plan.steadyState.p99Ms} ms`],
  ['wants', bullets(wants(plan), 'nothing: every layer is reported, none required')],
  ['warnings', bullets(plan.warnings, 'none')],
])}
<div class="pair">${timeline(plan)}${deadlines(plan)}</div>`;

const wants = ({ demands, also }: Plan): string[] => [
  ...LAYERS.flatMap((layer) => (demands[layer] ? [`${layer} ${demands[layer]}`] : [])),
  ...also.map(inWords),
];

const traffic = ({ load: { rate, arrivals, users, timeoutMs } }: Plan): string => {
  const process = typeof arrivals === 'string' ? arrivals : `ramp to ${arrivals.rampTo}/s`;
  return `${rate} requests/s, ${process} arrivals, ${users} users, timeout ${timeoutMs} ms`;
};

const timeline = ({ phases }: Plan): Markup => h`
<table><caption>Timeline, seconds after the start of traffic</caption><thead><tr><th scope="col">phase</th><th scope="col">from</th><th scope="col">until</th></tr></thead>
<tbody>${phases.map(({ name, from, until }) => h`<tr><th scope="row">${name}</th><td class="number">${(from / 1000).toFixed(1)}</td><td class="number">${(until / 1000).toFixed(1)}</td></tr>`)}</tbody></table>`;

const deadlines = ({ deadlines: all }: Plan): Markup => h`
<table><caption>How long a layer may take to show the fault, milliseconds</caption><thead><tr><th scope="col">layer</th><th scope="col">deadline</th><th scope="col">parts</th></tr></thead>
<tbody>${LAYERS.map(
  (layer) =>
    h`<tr><th scope="row">${layer}</th><td class="number">${all[layer].ms}</td><td>${Object.entries(all[layer].parts)
      .map(([part, ms]) => `${part} ${ms}`)
      .join(' + ')}</td></tr>`,
)}</tbody></table>`;

const again = ({ runId, seed, ledgerSha256, traffic }: Verdict): Markup => h`
<p>The verdict is a pure function of this folder’s files. In the folder that holds this page:</p>
${code('npx firedrill judge .')}
${facts([
  ['run id', h`<code>${runId}</code>, which tags every request`],
  ['seed', String(seed)],
  ['requests', `${traffic.sent} sent, ${traffic.answered} answered, ${traffic.failed} failed`],
  ['connections', String(traffic.connections)],
  ['client', traffic.saturated ? `saturated: ${traffic.saturated}` : 'kept up with its plan'],
  ['ledger SHA-256', h`<code class="long">${ledgerSha256}</code>`],
])}`;
