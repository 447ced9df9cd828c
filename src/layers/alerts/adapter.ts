// The three places where an alert shows: Prometheus that raises it, Alertmanager that holds it, the receiver that gets it.
import { z } from 'zod';
import { address, clockTrouble, getJson } from '../../connection.ts';
import type { Access } from '../../credentials.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import type { AlertItem, Answer, Gap, LayerAdapter, Nanos, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { fromIso, iso, SECOND } from '../../time.ts';
import { askPrometheus } from '../metrics/api.ts';
import { askRaw, type Labels, type RawSeries, rawQuery } from '../metrics/matrix.ts';

/** Base URLs; null: not there, and not asked. `webhookUrl` is a receiver that lists what it got at /deliveries. */
export type AlertSources = {
  readonly prometheusUrl: string | null;
  readonly alertmanagerUrl: string | null;
  readonly webhookUrl: string | null;
  readonly access?: { readonly prometheus: Access; readonly alertmanager: Access };
  readonly naming: Naming;
};

/**
 * Reads the alerts that Prometheus has now and had in the window (`ALERTS`), those that Alertmanager holds, and those that
 * the webhook receiver was sent. A component that a label names in another way (a pod, an address) is added as the label
 * `firedrill_component`. Who suppressed an alert is added as the annotation `suppressed_by`.
 * An item's `at` is when the alert became active: `activeAt`, `startsAt`, or the first evaluation in the window.
 */
export const alertmanager = (sources: AlertSources): LayerAdapter<AlertItem> => ({
  layer: 'alerts',
  look: async (window, signal) => {
    const answers = await Promise.all(asked(sources, window).map((one) => answer(one, window, signal)));
    return {
      items: unique(answers.flatMap(({ items }) => items)).map((item) => withComponent(item, sources.naming)),
      queries: answers.flatMap(({ queries }) => queries),
      gaps: answers.flatMap(({ gaps }) => gaps),
    };
  },
  [Symbol.asyncDispose]: async () => {},
});

type Asked = {
  readonly query: Query;
  readonly ask: (signal: AbortSignal) => Promise<{ items: AlertItem[]; doubts: readonly string[] }>;
};

const asked = ({ prometheusUrl, alertmanagerUrl, webhookUrl, access }: AlertSources, window: Window): Asked[] => [
  ...(prometheusUrl
    ? [now(prometheusUrl, access?.prometheus), history(prometheusUrl, window, access?.prometheus)]
    : []),
  ...(alertmanagerUrl ? [held(alertmanagerUrl, access?.alertmanager)] : []),
  ...(webhookUrl ? [delivered(webhookUrl)] : []),
];

const answer = async ({ query, ask }: Asked, window: Window, signal: AbortSignal): Promise<Answer<AlertItem>> => {
  const gap = (why: string): Gap => ({ layer: 'alerts', query: query.text, window, why });
  try {
    const { items, doubts } = await ask(signal);
    return { items, queries: [query], gaps: doubts.map(gap) };
  } catch (error) {
    return { items: [], queries: [query], gaps: [gap(oneLine(error))] };
  }
};

const get = (id: string, url: string): Query => ({ id: `${id} ${url}`, text: `GET ${url}`, url });

/** The shape's value, or Unreachable that says what was expected. */
const expect = <T>(shape: z.ZodType<T>, value: unknown, what: string): T => {
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw new Unreachable(`${what}: ${z.prettifyError(parsed.error).split('\n', 1)}`);
  return parsed.data;
};

const time = z.string().transform((text, context): Nanos => {
  try {
    return fromIso(text);
  } catch (error) {
    context.addIssue(oneLine(error));
    return z.NEVER;
  }
});
const texts = z.record(z.string(), z.string());

// ---- Prometheus, now ------------------------------------------------------------------------------------------

const active = z.object({
  alerts: z.array(
    z.object({ labels: texts, annotations: texts.default({}), state: z.enum(['pending', 'firing']), activeAt: time }),
  ),
});

const now = (base: string, access?: Access): Asked => {
  const query = get('prometheus', address(base, '/api/v1/alerts'));
  return {
    query,
    ask: async (signal) => {
      const { data, doubts } = await askPrometheus(query.url, signal, access);
      const { alerts } = expect(active, data, "not Prometheus's list of alerts");
      const items = alerts.map(({ activeAt, ...alert }) => itemOf({ ...alert, source: 'prometheus', at: activeAt }));
      return { items, doubts };
    },
  };
};

// ---- Prometheus, the window's history -------------------------------------------------------------------------

const history = (base: string, window: Window, access?: Access): Asked => {
  const query = rawQuery(base, '{__name__=~"ALERTS|ALERTS_FOR_STATE"}', window);
  return {
    query,
    ask: async (signal) => {
      const { series, doubts } = await askRaw(query, window, signal, access);
      return { items: series.flatMap((one) => firstSeen(one, series, window)), doubts };
    },
  };
};

/** The first sample of a state dates it, unless the alert was in that state before: then it is dated by ALERTS_FOR_STATE. */
const firstSeen = (
  { name, labels: { alertstate, ...labels }, samples }: RawSeries,
  all: readonly RawSeries[],
  window: Window,
): AlertItem[] => {
  const [start, next] = samples;
  if (name !== 'ALERTS' || !start || (alertstate !== 'pending' && alertstate !== 'firing')) return [];
  const standing = next === undefined || start.at - window.from <= next.at - start.at;
  const activeAt = standing ? activeSince(labels, all) : null;
  const at = activeAt !== null && activeAt < window.from ? activeAt : start.at;
  return [itemOf({ labels, annotations: {}, state: alertstate, source: 'prometheus', at })];
};

/** The value of ALERTS_FOR_STATE is the Unix second at which the alert became active. */
const activeSince = (labels: Labels, all: readonly RawSeries[]): Nanos | null => {
  const found = all.find((one) => one.name === 'ALERTS_FOR_STATE' && labelText(one.labels) === labelText(labels));
  return found?.samples[0] ? BigInt(Math.round(found.samples[0].value)) * SECOND : null;
};

// ---- Alertmanager ---------------------------------------------------------------------------------------------

const gettable = z.array(
  z.object({
    labels: texts,
    annotations: texts.default({}),
    fingerprint: z.string(),
    startsAt: time,
    status: z.object({
      state: z.enum(['unprocessed', 'active', 'suppressed']),
      silencedBy: z.array(z.string()).default([]),
      inhibitedBy: z.array(z.string()).default([]),
      mutedBy: z.array(z.string()).default([]),
    }),
  }),
);
type Gettable = z.output<typeof gettable>[number];

const held = (base: string, access?: Access): Asked => {
  const query = get('alertmanager', address(base, '/api/v2/alerts'));
  return {
    query,
    ask: async (signal) => {
      const { status, body, skewMs } = await getJson(query.url, signal, access);
      if (status !== 200) throw new Unreachable(`HTTP ${status}: ${JSON.stringify(body).slice(0, 200)}`);
      const items = expect(gettable, body, "not Alertmanager's list of alerts").map(heldItem);
      const clock = clockTrouble(skewMs);
      return { items, doubts: clock ? [clock] : [] };
    },
  };
};

const heldItem = ({ labels, annotations, fingerprint, startsAt, status }: Gettable): AlertItem =>
  itemOf({
    labels,
    annotations: { ...annotations, ...(status.state === 'suppressed' ? { suppressed_by: suppressors(status) } : {}) },
    state: status.state === 'suppressed' ? 'suppressed' : 'firing',
    source: 'alertmanager',
    at: startsAt,
    fingerprint,
  });

const suppressors = ({ silencedBy, inhibitedBy, mutedBy }: Gettable['status']): string =>
  [
    ...silencedBy.map((id) => `silence ${id}`),
    ...inhibitedBy.map((id) => `alert ${id}`),
    ...mutedBy.map((name) => `mute time ${name}`),
  ].join(', ');

// ---- The webhook receiver -------------------------------------------------------------------------------------

const payload = z.object({
  alerts: z.array(
    z.object({
      status: z.enum(['firing', 'resolved']),
      labels: texts,
      annotations: texts.default({}),
      startsAt: time,
      fingerprint: z.string(),
    }),
  ),
});

const delivered = (base: string): Asked => {
  const query = get('webhook', address(base, '/deliveries'));
  return {
    query,
    ask: async (signal) => {
      const { status, body } = await getJson(query.url, signal);
      if (status !== 200) throw new Unreachable(`HTTP ${status}`);
      const payloads = expect(z.array(payload), body, 'not a list of webhook payloads');
      return { items: payloads.flatMap(({ alerts }) => alerts.map(deliveredItem)), doubts: [] };
    },
  };
};

const deliveredItem = ({ status, startsAt, ...alert }: z.output<typeof payload>['alerts'][number]): AlertItem =>
  itemOf({ ...alert, state: status, source: 'webhook', at: startsAt });

// ---- Items ----------------------------------------------------------------------------------------------------

type Seen = Omit<AlertItem, 'id' | 'name'> & { readonly fingerprint?: string };

const itemOf = ({ fingerprint, ...alert }: Seen): AlertItem => ({
  ...alert,
  id: [alert.source, fingerprint ?? labelText(alert.labels), alert.state, iso(alert.at)].join('/'),
  name: alert.labels.alertname ?? '',
});

const labelText = (labels: Readonly<Record<string, string>>): string =>
  `{${Object.keys(labels)
    .sort()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
    .join(',')}}`;

/** A webhook repeats an alert in every notification of its group; once is enough. */
const unique = (items: readonly AlertItem[]): AlertItem[] =>
  [...new Map(items.map((item) => [item.id, item])).values()].sort((a, b) => Number(a.at - b.at));

/** Labels that name the component itself, the most telling first. */
const OWN = ['service', 'app', 'app_kubernetes_io_name', 'deployment', 'container', 'pod', 'job', 'instance'];

const withComponent = (item: AlertItem, naming: Naming): AlertItem => {
  const component = OWN.map((name) => naming.component(item.labels[name])).find(Boolean);
  return component ? { ...item, labels: { ...item.labels, firedrill_component: component } } : item;
};
