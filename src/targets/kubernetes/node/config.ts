// The agent's configuration: its environment, checked.
import { z } from 'zod';
import { Usage } from '../../../errors.ts';

const port = (usual: number) => z.coerce.number().int().min(0).max(65_535).default(usual);
const list = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter(Boolean))
  .pipe(
    z.array(z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be namespaces, such as shop,payments')).min(1),
  );

const schema = z.object({
  /** This node's name, as flows tell it. */
  NODE_NAME: z.string().min(1),
  /** Only pods of these namespaces are looked at: their logs, and the flows from and to them. */
  NAMESPACES: list,
  CLUSTER_NAME: z.string().min(1).default('default'),
  /** Base URL of the Loki that takes the logs; without it none are shipped. */
  LOKI_URL: z
    .url()
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  LOGS_FOLDER: z.string().default('/var/log/pods'),
  /** Where flows are served, on all addresses unless LISTEN says otherwise. */
  HUBBLE_PORT: port(4245),
  HEALTH_PORT: port(4246),
  LISTEN: z.string().default('0.0.0.0'),
  /** An NFLOG group that nobody else on the node uses; well-known users take small numbers. */
  NFLOG_GROUP: z.coerce.number().int().min(0).max(65_535).default(42_450),
});

export type NodeConfig = z.output<typeof schema>;

/** Throws Usage, in one line with every variable that is wrong. An empty variable is one that is not set. */
export const nodeConfig = (env: Readonly<Record<string, string | undefined>>): NodeConfig => {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const { data, error } = schema.safeParse(set);
  if (data) return data;
  const wrong = error.issues.map(({ path, message }) => `${path[0] as string}: ${message}`);
  throw new Usage(`environment: ${wrong.join('; ')}`);
};
