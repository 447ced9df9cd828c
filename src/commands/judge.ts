// `firedrill judge` and `firedrill report`: from a stored run, with nothing asked of anybody.
import { join } from 'node:path';
import { judge, writeReports } from '../report.ts';
import { FILES } from '../stored.ts';

export const judgeCommand = async ({
  dir,
  json,
}: {
  readonly dir: string;
  readonly json: boolean;
}): Promise<number> => {
  const { verdict, text } = await judge(dir, ['verdict']);
  process.stdout.write(json ? `${JSON.stringify(verdict, null, 2)}\n` : text);
  return verdict.exitCode;
};

export const reportCommand = async ({ dir }: { readonly dir: string }): Promise<number> => {
  await writeReports(dir);
  process.stdout.write(`${[FILES.html, FILES.junit].map((name) => join(dir, name)).join('\n')}\n`);
  return 0;
};
