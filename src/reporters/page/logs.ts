// What logs show: complaints, and who fell silent.

import { type Level, levelOf, parseLine } from '../../layers/logs/fields.ts';
import { type LogItem, service } from '../../model.ts';
import { type Chart, chart } from './chart.ts';
import { type Roles, rates } from './series.ts';
import type { Timeline } from './timeline.ts';

export const logCharts = (timeline: Timeline, lines: readonly LogItem[], roles: Roles): Chart[] => {
  const of = (level: Level) => lines.filter((line) => levelOfLine(line) === level);
  const by = ({ service: name }: LogItem): string => service(name);
  const drawn = (title: string, says: string, some: readonly LogItem[]): Chart[] =>
    chart(timeline, { title, says, unit: '/s' }, rates(timeline, some, by), roles);
  return [
    ...drawn('Errors', 'Lines of level error or worse, by service.', of('error')),
    ...drawn('Warnings', 'Lines of level warning, by service.', of('warn')),
    ...drawn('All lines', 'By service; one that is gone says nothing.', lines),
  ];
};

const levelOfLine = ({ line, labels }: LogItem): Level => {
  const label = labels.level ?? labels.severity ?? labels.detected_level;
  return parseLine(line).level ?? (label ? levelOf(label) : 'info');
};
