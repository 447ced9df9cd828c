// Kubernetes label selectors over labels as Cilium writes them: `source:key=value`.
import { Usage } from '../../errors.ts';

type Selects = (labels: readonly string[]) => boolean;

/**
 * A selector in Kubernetes' syntax (`app=x`, `app!=x`, `app in (x,y)`, `app notin (x)`, `app`, `!app`, joined by commas),
 * where a key may name its label source (`k8s:app`) and otherwise means any source. Throws Usage when it can't be read.
 */
export const labelSelector = (text: string): Selects => {
  const requirements = text.split(/,(?![^(]*\))/).map((part) => requirement(part.trim()));
  return (labels) => requirements.every((holds) => holds(labels));
};

const KEY = String.raw`(?:[\w-]+[:.])?[\w./-]+`;
const SET = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s+\(([^()]*)\)$`);
const EQUALS = new RegExp(String.raw`^(${KEY})\s*(==|=|!=)\s*([\w.-]*)$`);
const EXISTS = new RegExp(String.raw`^(!?)\s*(${KEY})$`);

const requirement = (text: string): Selects => {
  const set = SET.exec(text);
  if (set)
    return among(
      set[1]!,
      set[3]!.split(',').map((value) => value.trim()),
      set[2] === 'in',
    );
  const equals = EQUALS.exec(text);
  if (equals) return among(equals[1]!, [equals[3]!], equals[2] !== '!=');
  const exists = EXISTS.exec(text);
  if (!exists) throw new Usage(`'${text}' is no label selector`);
  return (labels) => values(labels, exists[2]!).length > 0 === (exists[1] === '');
};

const among =
  (key: string, wanted: readonly string[], within: boolean): Selects =>
  (labels) =>
    values(labels, key).some((value) => wanted.includes(value)) === within;

/** Values of the labels with this key. */
const values = (labels: readonly string[], key: string): string[] =>
  labels.flatMap((label) => {
    const [name = '', ...rest] = label.split('=');
    const bare = name.replace(/^[\w-]+:/, '');
    return name === key || bare === key ? [rest.join('=')] : [];
  });
