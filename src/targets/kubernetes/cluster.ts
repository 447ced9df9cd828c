// A cluster as this target talks to it: typed API calls that time out, say what went wrong in one line and are written
// down; programs run in containers; ports of pods brought to this machine's loopback.
import type {
  ApisApi,
  AppsV1Api,
  AuthorizationV1Api,
  BatchV1Api,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  NetworkingV1Api,
  PolicyV1Api,
  VersionApi,
} from '@kubernetes/client-node';
import { Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import type { ServiceAt } from './mapping.ts';

/** The API server's own refusal: `status` is its HTTP status (404, 403, 409, 429…). Its message is one line. */
export class Refused extends Unreachable {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** One request to the API server that changed something, or opened a way into a pod: the audit of what was touched. */
export type Touch = {
  readonly at: Nanos;
  /** DELETE of a collection is a `delete` without a name. */
  readonly verb: 'create' | 'patch' | 'update' | 'delete' | 'exec' | 'portforward';
  /** As RBAC says it: `pods`, `pods/eviction`, `networkpolicies`. */
  readonly resource: string;
  readonly namespace: string | null;
  readonly name: string | null;
  /** HTTP status; null when no answer came. */
  readonly status: number | null;
};

/** A container of a pod. */
export type At = { readonly namespace: string; readonly pod: string; readonly container: string };

export type Exec = {
  /**
   * Takes standard output as it comes; without it the whole, up to 16 MiB, is in the result's `out`. A promise that it
   * returns holds the program's output back until it is settled.
   */
  readonly onOutput?: (chunk: Buffer) => void | Promise<void>;
  /** Standard input, which ends after it. */
  readonly input?: string;
  /** Ends the connection; the program notices only if it reads or writes. */
  readonly signal?: AbortSignal;
};
/** `err` keeps the last 64 KiB and says how much came before. */
export type Executed = { readonly code: number; readonly out: string; readonly err: string };

/** A port of a pod, or of whichever ready pod is behind a service, on this machine's loopback. Its end cuts what it carries. */
export type Forward = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  /** Why a connection to it, the last that failed, did not come about; null when each did. */
  readonly broken: () => string | null;
};

export type Cluster = AsyncDisposable & {
  /** The API server's URL, the kubeconfig's context and where that kubeconfig is, for messages. */
  readonly server: string;
  readonly context: string;
  readonly source: string;
  /** Calls reject with Refused when the server answered with an error, with Unreachable when it did not answer. */
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  readonly batch: BatchV1Api;
  readonly networking: NetworkingV1Api;
  readonly policy: PolicyV1Api;
  readonly coordination: CoordinationV1Api;
  readonly authorization: AuthorizationV1Api;
  readonly custom: CustomObjectsApi;
  readonly apis: ApisApi;
  readonly version: VersionApi;
  /** The server's clock minus ours, in milliseconds, give or take half a second: its last answer's Date header has whole
   * seconds. Null before any. */
  skewMs(): number | null;
  /**
   * Runs a program in a container to its end. Rejects with Refused when it can't be started there, with Unreachable when
   * the connection is lost before the program's exit status is known, with the signal's reason when that aborts.
   */
  exec(at: At, argv: readonly [string, ...string[]], options?: Exec): Promise<Executed>;
  /** Each connection to the forward is a connection of its own to the pod. `pod` is asked anew for every connection. */
  forward(
    pod: () => Promise<{ readonly namespace: string; readonly pod: string; readonly port: number }>,
  ): Promise<Forward>;
  /**
   * A Service's HTTP port by way of the API server's proxy (`services/proxy`), where port-forward is not allowed: requests
   * to it are passed on with path, query and body. What the API server refuses comes back as its own answer, what it does
   * not answer as 502.
   */
  serviceProxy(service: ServiceAt): Promise<Forward>;
  /** Follows a container's log until the container ends (resolves) or the signal aborts (resolves); a broken connection is
   * taken up again where it broke, for as long as `patienceMs` allows; then Unreachable. */
  follow(at: At, onLine: (line: string) => void, signal: AbortSignal, patienceMs?: number): Promise<void>;
};
