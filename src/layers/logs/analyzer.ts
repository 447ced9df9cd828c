// Logs → suspects, blind: what the lines of the test window say that those of the baseline do not.
import type { Analyzer, LogItem } from '../../model.ts';
import { blame } from './blame.ts';
import { evidenceOf } from './evidence.ts';

/**
 * Compares two windows of log lines: failures that rose, times that rose, components that fell silent or came back as another
 * pod. Lines may be JSON, logfmt or plain text; nothing is expected of a platform but the names in its topology.
 */
export const analyzeLogs: Analyzer<LogItem> = (input) => {
  const { baseline, test } = input;
  if (baseline.items.length === 0 || test.items.length === 0)
    return { suspects: [], why: `no log lines in the ${baseline.items.length === 0 ? 'baseline' : 'test window'}` };
  const suspects = blame(evidenceOf(input));
  const read = `${baseline.items.length} lines before, ${test.items.length} in the test window`;
  return { suspects, why: suspects[0]?.why ?? `nothing in the logs changed beyond chance (${read})` };
};
