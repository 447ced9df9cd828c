// `firedrill list`: the scenarios and platforms that can be named.
import { basename, extname, relative } from 'node:path';
import { loadScenarios, platformNames } from '../load.ts';

export const listCommand = async (): Promise<number> => {
  const found = await loadScenarios([]);
  const rows = found.map(({ scenario, file }) => [
    basename(file, extname(file)),
    scenario.name,
    `${scenario.fault.kind}${'on' in scenario.fault ? ` on ${scenario.fault.on.replace(/^\w+:/, '')}` : ''}`,
    relative('.', file),
  ]);
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  const table = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(
    `scenarios\n${table.map((row) => `  ${row}`).join('\n')}\n\nplatforms\n  ${(await platformNames()).join(', ')}\n`,
  );
  return 0;
};
