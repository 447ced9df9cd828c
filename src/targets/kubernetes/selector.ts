// Label selectors, as the API server reads them.
import type { V1LabelSelector } from '@kubernetes/client-node';

export type Labels = Readonly<Record<string, string>>;

/**
 * Whether a label selector selects these labels: all of its labels and all of its expressions hold, so that an empty
 * selector selects everything. `NotIn` and `DoesNotExist` hold where the label is missing; an operator that Kubernetes does
 * not have selects nothing. Source: the API's LabelSelector, meta/v1.
 */
export const matches = ({ matchLabels = {}, matchExpressions = [] }: V1LabelSelector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => holds(operator, labels[key], values));

const holds = (operator: string, value: string | undefined, values: readonly string[]): boolean => {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
};
