// Permissions as manifests for people to read and `kubectl apply` to take: one Role a namespace, bound to one account.
import type { Permission } from './rbac.ts';

/** Who drills: a ServiceAccount. */
export type Account = { readonly namespace: string; readonly name: string };

/**
 * YAML of the ServiceAccount and, for each namespace, a Role and its RoleBinding, named as the account. Each rule is
 * preceded by what it is for. Nothing in it reaches beyond its namespace.
 */
export const manifest = (permissions: readonly Permission[], account: Account): string => {
  const namespaces = [...new Set(permissions.map(({ namespace }) => namespace))];
  const documents = [
    serviceAccount(account),
    ...namespaces.flatMap((namespace) => [
      role(
        namespace,
        account,
        permissions.filter((one) => one.namespace === namespace),
      ),
      binding(namespace, account),
    ]),
  ];
  return documents.map((lines) => `${lines.join('\n')}\n`).join('---\n');
};

const RBAC = 'rbac.authorization.k8s.io';

const head = (apiVersion: string, kind: string, namespace: string, { name }: Account): string[] => [
  `apiVersion: ${apiVersion}`,
  `kind: ${kind}`,
  'metadata:',
  `  name: ${name}`,
  `  namespace: ${namespace}`,
  '  labels:',
  '    app.kubernetes.io/name: firedrill',
];

const serviceAccount = (account: Account): string[] => head('v1', 'ServiceAccount', account.namespace, account);

const role = (namespace: string, account: Account, permissions: readonly Permission[]): string[] => [
  ...head(`${RBAC}/v1`, 'Role', namespace, account),
  'rules:',
  ...permissions.flatMap(({ apiGroup, resource, verbs, names, why }) => [
    `  # ${why}`,
    `  - apiGroups: ["${apiGroup}"]`,
    `    resources: [${resource}]`,
    ...(names ? [`    resourceNames: [${names.join(', ')}]`] : []),
    `    verbs: [${verbs.join(', ')}]`,
  ]),
];

const binding = (namespace: string, account: Account): string[] => [
  ...head(`${RBAC}/v1`, 'RoleBinding', namespace, account),
  'roleRef:',
  `  apiGroup: ${RBAC}`,
  '  kind: Role',
  `  name: ${account.name}`,
  'subjects:',
  '  - kind: ServiceAccount',
  `    name: ${account.name}`,
  `    namespace: ${account.namespace}`,
];
