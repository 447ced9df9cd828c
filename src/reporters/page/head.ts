// The top of the page: outcome, ground truth and the matrix of layers.
import { GRADES } from '../../expect.ts';
import { LAYERS, type LayerName } from '../../model.ts';
import type { Plan } from '../../plan.ts';
import type { Verdict } from '../../verdict.ts';
import {
  ARRIVALS,
  arrivals,
  blamed,
  bracket,
  clock,
  headline,
  misses,
  reached,
  STEPS,
  secondsBetween,
} from '../words.ts';
import { shortName } from './chart.ts';
import { h, type Markup } from './markup.ts';

export const head = (verdict: Verdict, plan: Plan): Markup => h`
<header>
<p class="brand">firedrill · ${verdict.platform} on ${verdict.target}</p>
<h1>${verdict.scenario}</h1>
<p class="outcome ${verdict.outcome}"><strong>${headline(verdict.outcome)}</strong> <span>${verdict.because}</span></p>
</header>
<section aria-labelledby="truth"><h2 id="truth">What was broken</h2>${groundTruth(verdict, plan)}</section>
<section aria-labelledby="matrix"><h2 id="matrix">Who noticed</h2>${matrix(verdict)}${fused(verdict)}${sentinels(verdict)}</section>`;

/** Rows of a description list. */
export const facts = (rows: readonly (readonly [term: string, says: Markup | string])[]): Markup =>
  h`<dl>${rows.map(([term, says]) => h`<div><dt>${term}</dt><dd>${says}</dd></div>`)}</dl>`;

export const bullets = (items: readonly string[], none: string): Markup =>
  items.length > 0 ? h`<ul>${items.map((item) => h`<li>${item}</li>`)}</ul>` : h`${none}`;

const groundTruth = ({ groundTruth: it }: Verdict, plan: Plan): Markup => {
  if (it.on === null)
    return h`<p>Nothing: this is a control. Whatever a layer reports here is a false alarm, unless the client’s own requests got worse too.</p>`;
  return facts([
    ['fault', h`<b>${it.fault}</b> on <code>${it.on}</code>${it.kind ? ` – a layer explains it as “${it.kind}”` : ''}`],
    ['in', it.from ? period(it.from, it.until) : 'never: it was not injected'],
    ['hurts', plan.radius.hurts],
    ['spares', plan.radius.spares],
    ['witnessed by', bullets(it.witnessedBy, 'nothing')],
    ['healed', it.healedAt ? `at ${clock(it.healedAt)} UTC` : 'no'],
    ['healing seen by', bullets(it.healWitnessedBy, 'nothing')],
  ]);
};

const period = (from: string, until: string | null): string =>
  until
    ? `${from.slice(0, 10)} ${clock(from)} until ${clock(until)} UTC, ${secondsBetween(from, until).toFixed(1)} s`
    : `${from.slice(0, 10)} from ${clock(from)} UTC on`;

const matrix = (verdict: Verdict): Markup => h`
<div class="scroll" tabindex="0"><table class="matrix">
<thead><tr><th scope="col">layer</th><th scope="col">grade</th>${STEPS.map((step) => h`<th scope="col">${step}</th>`)}
<th scope="col">detected in</th><th scope="col">wanted</th><th scope="col">blames</th></tr></thead>
<tbody>${LAYERS.map((layer) => row(verdict, layer))}</tbody></table></div>
<p class="note">The ladder: silent, noticed, located, explained. A ring marks the grade that the scenario asks for.</p>`;

const row = (verdict: Verdict, layer: LayerName): Markup => {
  const it = verdict.layers[layer];
  const wanted = it.wanted ? h`${it.wanted}${misses(it) ? h` <b class="miss">missed</b>` : null}` : '–';
  return h`
<tr><th scope="row"><a href="#${layer}">${layer}</a></th><td>${ladder(verdict, layer)}</td>
${STEPS.map((step) => h`<td class="${reached(verdict, layer, step) === 'yes' ? 'yes' : 'no'}">${reached(verdict, layer, step)}</td>`)}
<td class="number">${bracket(it.timeToDetect)}</td><td>${wanted}</td><td>${blamed(it) ?? 'nobody'}</td></tr>`;
};

/** Rungs from `silent` to `explained`, those reached filled in; the wanted one has a border. */
export const ladder = ({ outcome, layers, groundTruth }: Verdict, layer: LayerName): Markup => {
  const { grade, wanted } = layers[layer];
  const failed = groundTruth.on === null && outcome === 'fail';
  const rungs = GRADES.slice(1).map((rung, n) => {
    const on = GRADES.indexOf(grade) > n;
    return h`<i class="rung${on ? ' on' : ''}${rung === wanted ? ' wanted' : ''}"></i>`;
  });
  const alarm = failed && grade !== 'silent' && grade !== 'blind';
  return h`<span class="ladder ${alarm ? 'alarm' : grade}"><span aria-hidden="true">${rungs}</span>${alarm ? 'false alarm' : grade}</span>`;
};

/** Which of the requests that were answered well each layer came to show. */
const sentinels = ({ layers }: Verdict): Markup => h`
<h3>Sentinels: who still heard</h3>
<div class="scroll" tabindex="0"><table class="matrix">
<thead><tr><th scope="col">layer</th>${ARRIVALS.map((title) => h`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>${LAYERS.flatMap((layer) => {
  const it = layers[layer].sentinels;
  return it ? [h`<tr><th scope="row">${layer}</th>${arrivals(it).map((cell) => h`<td>${cell}</td>`)}</tr>`] : [];
})}</tbody></table></div>
<p class="note">Of tagged requests that were answered well: how many each layer came to show, and how long after their end.</p>`;

const fused = ({ fused: { grade, suspects } }: Verdict): Markup => {
  if (suspects.length === 0) return h`<p class="note">All layers together: ${grade}; nobody is blamed.</p>`;
  const [top] = suspects;
  const by = top!.layers.join(', ');
  return h`<p class="note">All layers together: <b>${grade}</b>. Most blamed is <code>${shortName(top!.ref)}</code> (${top!.kind}), by ${by}.</p>`;
};
