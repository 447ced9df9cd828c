// Addresses of those who observe the platform: they are neither delayed nor captured.
import type { Ground } from './ground.ts';
import { selectorOf } from './mapping.ts';

/** As of now; their pods come and go. */
export const sparedAddresses = async ({ cluster, spared }: Ground): Promise<readonly string[]> => {
  const lists = await Promise.all(
    spared.map(({ namespace, labels }) =>
      cluster.core.listNamespacedPod({ namespace, ...(labels === 'all' ? {} : { labelSelector: selectorOf(labels) }) }),
    ),
  );
  const pods = lists.flatMap(({ items }) => items).filter(({ spec }) => !spec?.hostNetwork);
  return [...new Set(pods.flatMap(({ status }) => (status?.podIP ? [status.podIP] : [])))].sort();
};
