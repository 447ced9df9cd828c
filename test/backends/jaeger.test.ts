// The lab's trace store against a real Jaeger: the same spans in, the same queries, the same answers.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../src/poll.ts';
import { startTraceStore } from '../../src/targets/lab/trace-store.ts';
import { ALLOWED, type Allowed } from './jaeger-allowed.ts';
import { ask, type Pair, same } from './jaeger-compare.ts';
import { asJson, asProtobuf, ODD, type Sent } from './jaeger-otlp.ts';
import { OF_NOTHING, type Query, queriesOf } from './jaeger-queries.ts';
import { exportsOf, spansOf } from './jaeger-spans.ts';
import { builtFrom, missing, real } from './servers.ts';

const SEED = 20_261_121;
const TRACES = 60;
const SEARCHES = 200;
const MINUTES = 60_000;

type Stores = { readonly jaeger: string; readonly otlp: string; readonly lab: string };

const exports = exportsOf(SEED, TRACES);
const pairs: Pair[] = [];
let stores: Stores;

type Receipt = { readonly status: number; readonly type: string };

const post = async (base: string, { method = 'POST', headers, body }: Sent): Promise<Receipt> => {
  const answer = await request(`${base}/v1/traces`, {
    method,
    headers,
    reset: true,
    ...(body === undefined ? {} : { body }),
  });
  await answer.body.dump();
  return { status: answer.statusCode, type: String(answer.headers['content-type']).split(';')[0]! };
};

/** Sends both the same bytes, JSON and protobuf in turn. */
const sendAll = async ({ otlp, lab }: Stores): Promise<void> => {
  for (const [at, one] of exports.entries()) {
    const body = at % 2 === 0 ? asJson(one) : asProtobuf(one);
    for (const base of [otlp, lab]) expect([at, base, (await post(base, body)).status]).toEqual([at, base, 200]);
  }
};

type Raw = {
  readonly result?: {
    readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans?: readonly unknown[] }[] }[];
  };
};

const held = async (base: string, traceId: string): Promise<number> => {
  const { body } = await request(`${base}/api/v3/traces/${traceId}?raw_traces=true`);
  const { result } = (await body.json()) as Raw;
  return (result?.resourceSpans ?? []).flatMap((one) => one.scopeSpans.flatMap(({ spans }) => spans ?? [])).length;
};

/** Waits until Jaeger has every span that was sent. */
const allThere = async ({ jaeger }: Stores): Promise<void> => {
  const expected = Map.groupBy(spansOf(exports), (one) => one.traceId);
  for (const [traceId, spans] of expected)
    await until(`trace ${traceId}`, async () => ((await held(jaeger, traceId)) >= spans.length ? true : null), {
      forMs: 30_000,
      everyMs: 100,
    });
};

const askAll = async ({ jaeger, lab }: Stores, queries: readonly Query[]): Promise<void> => {
  for (const query of queries) {
    const [real, ours] = await Promise.all([ask(jaeger, query.path), ask(lab, query.path)]);
    pairs.push({ query, real, lab: ours });
  }
};

const mustBeEmpty = async ({ jaeger }: Stores): Promise<void> => {
  const { body } = await ask(jaeger, '/api/v3/services');
  const { services = [] } = body as { services?: readonly string[] };
  if (services.length > 0)
    throw new Error(`the Jaeger at ${jaeger} has ${services.join()} already: the suite needs an empty one`);
};

const without = (pair: Pair, allowed: readonly Allowed[]): Pair =>
  allowed.reduce((one, { without }) => without(one), pair);

/** A difference as a person reads it, short enough for a failure's message. */
const told = ({ query, real, lab }: Pair): string =>
  [query.path, `  Jaeger: ${JSON.stringify(real)}`, `  lab:    ${JSON.stringify(lab)}`]
    .map((line) => line.slice(0, 2000))
    .join('\n');

/** The release that the server names in its user interface, or that its program was built from; null when neither says. */
const release = async (jaeger: string): Promise<string | null> => {
  const page = await (await request(`${jaeger}/`)).body.text();
  const told = /"gitVersion":"v?([^"]+)"/.exec(page)?.[1];
  const module = /v1\.(\d+)\./.exec((await builtFrom('jaeger')) ?? '')?.[1];
  // Until 2.13 every release was tagged v1 too, 63 minors apart: https://github.com/jaegertracing/jaeger/releases
  return told ?? (module ? `2.${Number(module) - 63}` : null);
};

const why = missing('jaeger');
// One skipped test that says why, in place of all of them.
const suite: (name: string, body: () => void) => void = why
  ? (name) => test.skip(`${name} # ${why}`, () => undefined)
  : describe;

suite('the lab’s trace store and a real Jaeger', () => {
  const open = new AsyncDisposableStack();
  let [version, differences]: [string | null, number] = [null, 0];

  beforeAll(async () => {
    const { at } = open.use(await real('jaeger'));
    const store = open.use(await startTraceStore({ host: '127.0.0.1', port: 0, maxSpans: 100_000 }));
    stores = { jaeger: at.jaeger!, otlp: at.otlp!, lab: store.url };
    version = await release(stores.jaeger);
    await mustBeEmpty(stores);
    await askAll(stores, OF_NOTHING);
    await sendAll(stores);
    await allThere(stores);
    await askAll(stores, queriesOf(exports, SEED, SEARCHES));
  }, 5 * MINUTES);

  afterAll(async () => {
    await open.disposeAsync();
    process.stdout.write(
      `jaeger: ${pairs.length} queries (seed ${SEED}) compared with Jaeger ${version ? `v${version}` : 'of an unknown release'}, ` +
        `${differences} differences beyond the ${ALLOWED.length} allowed\n`,
    );
  });

  test('answer alike, but for what is allowed', () => {
    const different = pairs.map((pair) => without(pair, ALLOWED)).filter((pair) => !same(pair));
    differences = different.length;
    expect(different.slice(0, 10).map(told)).toEqual([]);
    expect(pairs.length).toBeGreaterThan(300);
  });

  test.each(Object.entries(ODD))('take or refuse alike: %s', async (_what, sent) => {
    expect(await post(stores.lab, sent)).toEqual(await post(stores.otlp, sent));
  });

  test.each(ALLOWED)('differ in what is allowed: $name', (allowed) => {
    const { name, only } = allowed;
    const others = ALLOWED.filter((one) => one.name !== name);
    const occurs = pairs.some((pair) => allowed.without(pair) !== pair && !same(without(pair, others)));
    expect({ name, occurs }).toEqual({
      name,
      occurs: !only || !version || version.startsWith(`${only}.`) || version === only ? true : occurs,
    });
  });
});
