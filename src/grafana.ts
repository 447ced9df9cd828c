// Backends that are reached through Grafana: which of its datasources they are. One token of Grafana's then reaches them all.
import { z } from 'zod';
import { type BackendsSection, HTTP_BACKENDS, type HttpBackend } from './access.ts';
import { address, getJson } from './connection.ts';
import { access, proxyUrl } from './credentials.ts';
import { oneLine, Unreachable, Usage } from './errors.ts';

const PATIENCE_MS = 10_000;
const datasources = z.array(z.object({ uid: z.string(), name: z.string(), type: z.string() }));
type Datasource = z.output<typeof datasources>[number];

/**
 * Base URLs, through the section's Grafana, of those of `wanted` that have a datasource there: the one that the section names by
 * its uid, else the only one of its type. Throws Usage when there are several, Unreachable when Grafana does not tell.
 * Source: grafana.com/docs/grafana/latest/developers/http_api/data_source, "Get all data sources" and proxy calls.
 */
export const throughGrafana = async (
  backends: BackendsSection,
  wanted: readonly HttpBackend[] = HTTP_BACKENDS,
): Promise<Partial<Record<HttpBackend, string>>> => {
  const { grafana } = backends;
  if (!grafana) return {};
  const unnamed = wanted.filter((name) => backends[name]?.uid === undefined);
  const all = unnamed.length > 0 ? await listed(backends) : [];
  const found = wanted.flatMap((name) => {
    const uid = backends[name]?.uid ?? onlyOne(name, all);
    return uid === null ? [] : [[name, proxyUrl(grafana.url, uid)] as const];
  });
  return Object.fromEntries(found);
};

const listed = async ({ grafana }: BackendsSection): Promise<readonly Datasource[]> => {
  const url = address(grafana!.url, '/api/datasources');
  try {
    const { status, body } = await getJson(url, AbortSignal.timeout(PATIENCE_MS), access('backends.grafana', grafana!));
    const parsed = datasources.safeParse(body);
    if (status === 200 && parsed.success) return parsed.data;
    throw new Unreachable(`HTTP ${status} with JSON that is not a list of datasources`);
  } catch (error) {
    if (error instanceof Usage) throw error;
    throw new Unreachable(
      `backends.grafana: ${url}: ${oneLine(error)}; who may not list datasources names each one by its uid`,
    );
  }
};

const onlyOne = (type: HttpBackend, all: readonly Datasource[]): string | null => {
  const [first, ...others] = all.filter((one) => one.type === type);
  if (first && others.length > 0)
    throw new Usage(
      `backends.grafana has several datasources of type ${type} (${[first, ...others].map(({ uid, name }) => `${uid}: ${name}`).join(', ')}): name one with backends.${type}.uid`,
    );
  return first?.uid ?? null;
};
