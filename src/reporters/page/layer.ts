// One layer's part of the page: its grade, its pictures, whom it blames, and the evidence with the queries behind it.
import type { Look } from '../../evidence.ts';
import { type Item, LAYERS, type LayerName } from '../../model.ts';
import { iso } from '../../time.ts';
import type { Stored, Verdict } from '../../verdict.ts';
import { bracket, clock, secondsBetween } from '../words.ts';
import { shortName } from './chart.ts';
import { type Figure, figureMarkup } from './figure.ts';
import { ladder } from './head.ts';
import { itemWords } from './item.ts';
import { h, type Markup } from './markup.ts';

const MOST_SUSPECTS = 5;
const MOST_ITEMS = 10;
const MOST_LOOKS = 12;
const MOST_QUERIES = 30;

type Seen = Item & { readonly seen: number };
type Suspect = Verdict['layers'][LayerName]['suspects'][number];

export const layerSection = (stored: Stored, verdict: Verdict, layer: LayerName, drawn: readonly Figure[]): Markup => {
  const { why, timeToDetect, timeToLocate, suspects, items } = verdict.layers[layer];
  const shown = suspects.slice(0, MOST_SUSPECTS);
  const detected = timeToDetect
    ? ` Detected in ${bracket(timeToDetect)}, located in ${bracket(timeToLocate)} after the injection.`
    : '';
  const byId = new Map((stored.evidence.items.get(layer) ?? []).map((item) => [item.id, item]));
  const looks = looksBehind(
    stored,
    layer,
    shown.flatMap((suspect) => evidenceOf(suspect, byId)),
  );
  return h`
<section class="layer" aria-labelledby="${layer}">
<h2 id="${layer}">${layer} ${ladder(verdict, layer)}</h2>
<p>${why}</p>
<p class="note">${items.baseline} items in the baseline, ${items.test} after it.${detected}</p>
<div class="charts">${drawn.map(figureMarkup)}</div>
${shown.map((suspect, n) => suspectMarkup(verdict, layer, suspect, n, byId, looks))}
${suspects.length > shown.length ? h`<p class="note">${suspects.length - shown.length} more suspects are in verdict.json.</p>` : null}
${looks.length > 0 ? queries(layer, looks) : null}
</section>`;
};

/** The first few items of a suspect's evidence that are still there. */
const evidenceOf = ({ evidence }: Suspect, byId: ReadonlyMap<string, Seen>): Seen[] =>
  evidence.flatMap((id) => byId.get(id) ?? []).slice(0, MOST_ITEMS);

/** The looks that first showed any of the items, in order. */
const looksBehind = ({ evidence }: Stored, layer: LayerName, items: readonly Seen[]): Look[] => {
  const numbers = new Set(items.map(({ seen }) => seen));
  return evidence.looks.filter((look) => look.layer === layer && numbers.has(look.n)).slice(0, MOST_LOOKS);
};

const suspectMarkup = (
  verdict: Verdict,
  layer: LayerName,
  suspect: Suspect,
  n: number,
  byId: ReadonlyMap<string, Seen>,
  looks: readonly Look[],
): Markup => {
  const { ref, kind, score, why, evidence } = suspect;
  const items = evidenceOf(suspect, byId);
  return h`
<article class="suspect">
<h3>${n + 1}. <code>${shortName(ref)}</code> ${kind} <meter min="0" max="1" value="${score}">${score}</meter> <small>score ${score.toFixed(2)}, since ${when(verdict, suspect.since)}</small></h3>
<p>${why}</p>
${items.length > 0 ? evidenceTable(verdict, layer, items, looks) : null}
${evidence.length > items.length ? h`<p class="note">${items.length} of ${evidence.length} pieces of evidence are shown.</p>` : null}
</article>`;
};

/** `06:48:20.123, 1.4 s after the injection` */
const when = ({ groundTruth: { from } }: Verdict, at: string): string => {
  if (from === null) return clock(at);
  const after = secondsBetween(from, at);
  return `${clock(at)}, ${Math.abs(after).toFixed(1)} s ${after < 0 ? 'before' : 'after'} the injection`;
};

const evidenceTable = (verdict: Verdict, layer: LayerName, items: readonly Seen[], looks: readonly Look[]): Markup => h`
<div class="scroll" tabindex="0"><table class="evidence"><thead><tr><th scope="col">time, UTC</th><th scope="col">what ${layer} showed</th><th scope="col">first shown by</th></tr></thead>
<tbody>${items.map(
  (item) => h`
<tr><td class="number" title="${when(verdict, iso(item.at))}">${clock(iso(item.at))}</td><td class="says">${itemWords(layer, item)}</td><td>${lookLink(layer, item.seen, looks)}</td></tr>`,
)}</tbody></table></div>`;

const lookLink = (layer: LayerName, n: number, looks: readonly Look[]): Markup =>
  looks.some((look) => look.n === n) ? h`<a href="#${layer}-look-${n}">look ${n}</a>` : h`look ${n}`;

const queries = (layer: LayerName, looks: readonly Look[]): Markup => h`
<details class="queries"><summary>The queries behind this evidence</summary>${looks.map((look) => lookMarkup(layer, look))}</details>`;

const lookMarkup = (layer: LayerName, { n, asked, answered, window, queries: all }: Look): Markup => h`
<div class="look" id="${layer}-look-${n}"><h4>Look ${n}: asked ${clock(iso(asked))}, answered ${clock(iso(answered))}, about ${clock(iso(window.from))} to ${clock(iso(window.until))}</h4>
${all.slice(0, MOST_QUERIES).map(({ text, url }) => h`${code(text)}${url === '' || text.includes(url) ? null : code(url)}`)}
${all.length > MOST_QUERIES ? h`<p class="note">${all.length - MOST_QUERIES} more queries of this look are in evidence.ndjson.</p>` : null}</div>`;

/** Text to be copied. */
export const code = (text: string): Markup => h`<div class="code"><pre><code>${text}</code></pre></div>`;

/** Links to every layer, each with its grade. */
export const layerLinks = (verdict: Verdict): Markup =>
  h`<nav aria-label="Layers">${LAYERS.map((layer) => h`<a href="#${layer}">${layer} <small>${verdict.layers[layer].grade}</small></a>`)}</nav>`;
