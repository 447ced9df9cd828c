// HTML as values: a tagged template that escapes whatever is put into it, unless it is markup itself.

/** Text that is HTML already. Only `h` and `raw` make it. */
export type Markup = { readonly html: string };

type Value = string | number | Markup | readonly Markup[] | null;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** For what firedrill itself ships: a style sheet, a script. */
export const raw = (html: string): Markup => ({ html });

/** Markup; null is nothing. Values may stand between tags and in attributes with double quotes, nowhere else. */
export const h = (parts: TemplateStringsArray, ...values: readonly Value[]): Markup =>
  raw(parts.map((part, n) => part + (n < values.length ? inserted(values[n] ?? null) : '')).join(''));

const inserted = (value: Value): string => {
  if (value === null) return '';
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'number') return String(value);
  return 'html' in value ? value.html : value.map(({ html }) => html).join('');
};

/** JSON that may stand in a script element: no text in it can end the element or begin a comment. */
export const inlineJson = (value: unknown): Markup => raw(JSON.stringify(value).replace(/</g, '\\u003c'));
