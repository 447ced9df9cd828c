// The verdict as one HTML page that needs nothing but itself: no network, no other file, no inline style, one known script.
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AlertItem, FlowItem, Item, LayerName, LogItem, PacketItem, SampleItem, SpanItem } from '../model.ts';
import { LAYERS } from '../model.ts';
import { toMs } from '../time.ts';
import type { Stored, Verdict } from '../verdict.ts';
import { alertCharts } from './page/alerts.ts';
import { type Chart, rolesOf } from './page/chart.ts';
import { clientCharts } from './page/client.ts';
import { type Figure, figureData, figureMarkup, figures, marksOf, NO_MARKS } from './page/figure.ts';
import { flowCharts } from './page/flows.ts';
import { head } from './page/head.ts';
import { layerLinks, layerSection } from './page/layer.ts';
import { logCharts } from './page/logs.ts';
import { h, inlineJson, type Markup, raw } from './page/markup.ts';
import { metricCharts } from './page/metrics.ts';
import { packetCharts } from './page/packets.ts';
import { tail } from './page/tail.ts';
import { type Timeline, timelineOf } from './page/timeline.ts';
import { traceCharts } from './page/traces.ts';
import { headline } from './words.ts';

/** The whole page. Everything that came from outside (log lines, labels, error texts) is escaped. */
export const html = async (stored: Stored, verdict: Verdict): Promise<string> => {
  const { style, script } = await assets();
  const timeline = timelineOf(stored, verdict.groundTruth);
  const client = figures('client', clientCharts(timeline, stored.ledger.bins), NO_MARKS);
  const layers = LAYERS.map((layer) => layerFigures(stored, verdict, timeline, layer));
  const body = h`${head(verdict, stored.plan)}${layerLinks(verdict)}
<section aria-labelledby="client"><h2 id="client">What users got</h2>${bandLegend(timeline)}<div class="charts">${client.map(figureMarkup)}</div></section>
${LAYERS.map((layer, n) => layerSection(stored, verdict, layer, layers[n]!))}
${tail(verdict, stored.plan)}`;
  return page(verdict, body, dataOf(timeline, [...client, ...layers.flat()]), style, script).html;
};

const layerFigures = (stored: Stored, verdict: Verdict, timeline: Timeline, layer: LayerName): Figure[] =>
  figures(layer, layerCharts(stored, verdict, timeline, layer), marksOf(timeline, verdict.layers[layer]));

const layerCharts = ({ evidence, plan }: Stored, verdict: Verdict, timeline: Timeline, layer: LayerName): Chart[] => {
  const roles = rolesOf(verdict.layers[layer].suspects, verdict, plan.topology.components);
  const items = <I extends Item>() => (evidence.items.get(layer) ?? []) as readonly (I & { readonly seen: number })[];
  switch (layer) {
    case 'traces':
      return traceCharts(timeline, items<SpanItem>(), roles);
    case 'metrics':
      return metricCharts(timeline, items<SampleItem>(), plan.topology, roles);
    case 'alerts':
      return alertCharts(
        timeline,
        items<AlertItem>(),
        evidence.looks.filter((look) => look.layer === layer),
      );
    case 'logs':
      return logCharts(timeline, items<LogItem>(), roles);
    case 'flows':
      return flowCharts(timeline, items<FlowItem>(), plan.topology, roles);
    case 'packets':
      return packetCharts(timeline, items<PacketItem>(), roles);
  }
};

const bandLegend = ({ bands }: Timeline): Markup => h`
<p class="bands">All pictures share one axis, seconds after the start of traffic: ${bands.map(
  ({ name, from, until }) =>
    h`<span><i class="swatch band-${name}" aria-hidden="true"></i>${name} ${from.toFixed(1)}–${until.toFixed(1)} s</span> `,
)}</p>`;

const dataOf = ({ start, width, bins, bands }: Timeline, all: readonly Figure[]): object => ({
  startMs: toMs(start),
  width,
  bins,
  bands,
  charts: all.map(figureData),
});

const page = (verdict: Verdict, body: Markup, data: object, style: string, script: string): Markup => h`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${headline(verdict.outcome)}: ${verdict.scenario}</title>
<style>${raw(style)}</style>
</head>
<body>
<main>${body}</main>
<noscript><p>The pictures need JavaScript; their numbers are in the tables.</p></noscript>
<script type="application/json" id="data">${inlineJson(data)}</script>
<script>${raw(script)}</script>
</body>
</html>
`;

/** Nothing may be loaded from anywhere, and only this style sheet and this script may run. */
const policy = (style: string, script: string): string => {
  const sum = (text: string): string => `'sha256-${hash('sha256', text, 'base64')}'`;
  return `default-src 'none'; style-src ${sum(style)}; script-src ${sum(script)}; base-uri 'none'; form-action 'none'`;
};

const assets = async (): Promise<{ readonly style: string; readonly script: string }> => {
  const require = createRequire(import.meta.url);
  const own = (name: string): Promise<string> => readFile(new URL(`./page/${name}`, import.meta.url), 'utf8');
  const of = (name: string): Promise<string> => readFile(require.resolve(`uplot/dist/${name}`), 'utf8');
  const [plotStyle, style, plot, script] = await Promise.all([
    of('uPlot.min.css'),
    own('page.css'),
    of('uPlot.iife.min.js'),
    own('page.js'),
  ]);
  return { style: `${plotStyle}\n${style}`, script: `${plot}\n${script}` };
};
