// A chart's place on the page: title, canvas, and its numbers as a table that is legend and text alternative at once.
import { fromIso, toMs } from '../../time.ts';
import type { LayerVerdict } from '../../verdict.ts';
import { amount, type Chart, type LineChart, type Span, type SpanChart, shortName } from './chart.ts';
import { h, type Markup } from './markup.ts';
import type { Role } from './series.ts';
import { secondsIn, type Timeline } from './timeline.ts';

/** What a layer says of time, to be marked in its pictures; seconds after the start of traffic. */
export type Marks = {
  readonly since: number | null;
  readonly bracket: { readonly from: number; readonly until: number } | null;
};

export type Figure = { readonly id: string; readonly chart: Chart; readonly marks: Marks };

export const NO_MARKS: Marks = { since: null, bracket: null };

export const marksOf = (timeline: Timeline, { suspects: [top], timeToDetect }: LayerVerdict): Marks => {
  const injected = timeline.injected === null ? null : toMs(timeline.injected - timeline.start) / 1000;
  const bracket =
    timeToDetect && injected !== null
      ? { from: injected + timeToDetect.atLeast / 1000, until: injected + timeToDetect.atMost / 1000 }
      : null;
  return { since: top ? secondsIn(timeline, fromIso(top.since)) : null, bracket };
};

export const figures = (prefix: string, charts: readonly Chart[], marks: Marks): Figure[] =>
  charts.map((chart, n) => ({ id: `${prefix}-${n + 1}`, chart, marks }));

export const figureMarkup = ({ id, chart }: Figure): Markup => h`
<figure>
<figcaption><h4>${chart.title}</h4><p>${chart.says}</p></figcaption>
<div class="plot" data-chart="${id}" role="img" aria-label="${chart.title}: ${inWords(chart)}"></div>
${chart.kind === 'lines' ? seriesTable(chart, id) : alertTable(chart)}
${chart.omitted > 0 ? h`<p class="note">${chart.omitted} more that changed less are not drawn.</p>` : null}
</figure>`;

const inWords = (chart: Chart): string => {
  if (chart.kind === 'spans') return `${chart.rows.length} alerts over time`;
  const [top] = chart.series;
  if (!top) return 'nothing';
  const { name, before, during } = top;
  return `${shortName(name)} from ${amount(before, chart.unit)} in the baseline to ${amount(during, chart.unit)}`;
};

const seriesTable = ({ title, unit, series }: LineChart, id: string): Markup => h`
<table class="series"><caption class="hidden">${title}: means in the baseline and during the fault, or the hold</caption>
<thead><tr><th scope="col">series</th><th scope="col">baseline</th><th scope="col">during</th><th scope="col" class="live">at cursor</th></tr></thead>
<tbody>${series.map(
  ({ name, role, before, during }, n) => h`
<tr><th scope="row"><i class="swatch ${colour(role, n)}" aria-hidden="true"></i>${shortName(name)}${marked(role) ? h` <span class="mark">${role}</span>` : null}</th>
<td>${amount(before, unit)}</td><td>${amount(during, unit)}</td><td class="live" data-live="${id}/${n}"></td></tr>`,
)}</tbody></table>`;

const marked = (role: Role | null): boolean => role !== null && role !== 'near';
/** Name of the page's colour: that of trouble is for the broken and the blamed alone. */
const colour = (role: Role | null, n: number): string => (marked(role) ? 'bad' : `s${n % 8}`);

const alertTable = ({ rows }: SpanChart): Markup => h`
<table class="series"><caption class="hidden">Alerts, with the seconds after the start of traffic</caption>
<thead><tr><th scope="col">alert</th><th scope="col">state</th><th scope="col">shown by</th></tr></thead>
<tbody>${rows.map(
  ({ name, spans, source }) => h`
<tr><th scope="row">${name}</th><td>${spans.map(since).join(', ')}</td><td>${source}</td></tr>`,
)}</tbody></table>`;

const since = ({ state, from }: Span): string =>
  from < 0 ? `${state} since before the start` : `${state} from ${from.toFixed(1)} s`;

/** What the page's script needs to draw it; short names, for it is repeated a lot. */
export const figureData = ({ id, chart, marks }: Figure): object => {
  if (chart.kind === 'spans') return { id, kind: chart.kind, rows: chart.rows, marks };
  const series = chart.series.map(({ name, values, role }, n) => ({
    name: shortName(name),
    values,
    colour: colour(role, n),
    bold: marked(role),
  }));
  return { id, kind: chart.kind, unit: chart.unit, series, marks };
};
