// What a request to the API server asks for, read off its method and path; and what its refusal says. Pure.
import { oneLine } from '../../errors.ts';
import { Refused, type Touch } from './cluster.ts';

export type Asked = {
  readonly verb: 'get' | 'list' | Touch['verb'];
  /** The API group; empty for the core group and for paths that are no resources. */
  readonly group: string;
  /** As RBAC says it: `pods`, `pods/eviction`; the path itself when it is no resource. */
  readonly resource: string;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly dryRun: boolean;
};

const VERBS: Readonly<Record<string, Touch['verb']>> = {
  POST: 'create',
  PATCH: 'patch',
  PUT: 'update',
  DELETE: 'delete',
};
const RESOURCE =
  /^\/(?:api|apis\/([^/]+))\/[^/]+\/(?:namespaces\/([^/]+)\/(?!status$|finalize$))?([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?/;

/**
 * `path` begins at `/api` or `/apis` and may have a query. The shape of paths is Kubernetes's own
 * (kubernetes.io/docs/reference/using-api/api-concepts, "Resource URIs").
 */
export const asked = (method: string, path: string): Asked => {
  const { pathname, searchParams } = new URL(path, 'http://server');
  const [matched, group, namespace, kind, name, sub] = (RESOURCE.exec(pathname) ?? []).map((part) =>
    part === undefined ? part : decodeURIComponent(part),
  );
  return {
    verb: VERBS[method] ?? (matched && !name ? 'list' : 'get'),
    group: group ?? '',
    resource: matched ? [kind, sub].filter(Boolean).join('/') : pathname,
    namespace: namespace ?? null,
    name: name ?? null,
    dryRun: searchParams.get('dryRun') === 'All',
  };
};

/** Whether the request changes anything. A review asks a question, although it is created. */
export const isTouch = ({ verb, group, dryRun }: Asked): boolean =>
  verb !== 'get' && verb !== 'list' && !dryRun && group !== 'authorization.k8s.io';

/** `delete pods order-1 in namespace shop` */
export const phrase = ({ verb, resource, namespace, name }: Asked): string =>
  [verb, resource, name, namespace && `in namespace ${namespace}`].filter(Boolean).join(' ');

/** The refusal of a request: `body` is what the server answered, a Status object if it is a Kubernetes API server's. */
export const refusal = (what: Asked, status: number, body: string, who: string): Refused =>
  new Refused(`kubernetes: can't ${phrase(what)}: ${words(body)} (HTTP ${status})${advice(status, who)}`, status);

/** Any answer's words on one line: a Status object's message, else the beginning of the text. */
export const words = (body: string): string => {
  const message = statusOf(body)?.message;
  if (message) return oneLine(message);
  if (/^\s*</.test(body)) return 'an HTML page';
  return body.replace(/\s+/g, ' ').trim().slice(0, 200) || 'no message';
};

export type Status = {
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
};

/** A Status object (kubernetes.io/docs/reference/kubernetes-api/common-definitions/status), or null. */
export const statusOf = (body: string): Status | null => {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && (parsed as { kind?: string }).kind === 'Status'
      ? (parsed as Status)
      : null;
  } catch {
    return null;
  }
};

const advice = (status: number, who: string): string => {
  if (status === 401) return `; the server does not take the credentials of ${who}: renew them`;
  return status === 403 ? '; firedrill rbac prints the Role that is needed' : '';
};
