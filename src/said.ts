// What a doctor says, a line for each thing that it looks at.
import { oneLine } from './errors.ts';

/** One thing that was looked at. `unknown`: nothing to mend, but nothing to rely on either. */
export type Said = { readonly is: 'ok' | 'bad' | 'unknown'; readonly name: string; readonly says: string };

/** What `look` says is fine; what it throws is bad. */
export const said = (name: string, look: () => Promise<string>): Promise<Said> =>
  look().then(
    (says): Said => ({ is: 'ok', name, says }),
    (error: unknown): Said => ({ is: 'bad', name, says: oneLine(error) }),
  );
