// Requests to endpoints and back: `POST /orders/:id` matches `POST /orders/17`, and is filled in to be called.

export type Params = Readonly<Record<string, string>>;
export type Route<E> = { readonly method: string; readonly path: string; readonly endpoint: E };
export type Match<E> = { readonly route: Route<E>; readonly params: Params };

/** `GET /orders/:id` as method and path. */
export const split = (request: string): { readonly method: string; readonly path: string } => {
  const [method = '', path = ''] = request.split(' ');
  return { method, path };
};

/** Finds the endpoint of a request. Of several, the one whose parts are named literally, the earliest part first. */
export const router = <E>(
  endpoints: Readonly<Record<string, E>>,
): ((method: string, path: string) => Match<E> | null) => {
  const routes = Object.entries(endpoints)
    .map(([request, endpoint]) => ({ ...split(request), endpoint }))
    .sort((a, b) => (literalFirst(a.path) < literalFirst(b.path) ? -1 : 1));
  return (method, path) => {
    for (const route of routes) {
      const params = route.method === method ? matches(route.path, path) : null;
      if (params) return { route, params };
    }
    return null;
  };
};

const literalFirst = (path: string): string =>
  path
    .split('/')
    .map((part) => (part.startsWith(':') ? '1' : '0'))
    .join('');

const matches = (pattern: string, path: string): Params | null => {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    if (part.startsWith(':') && given[i] !== '') params[part.slice(1)] = given[i]!;
    else if (part !== given[i]) return null;
  }
  return params;
};

/** A path to call: parts that begin with a colon take the caller's own parameter of that name, or `fallback`. */
export const fill = (path: string, params: Params, fallback: string): string =>
  path.replace(/(?<=\/):([^/]+)/g, (_, name: string) => params[name] ?? encodeURIComponent(fallback));
