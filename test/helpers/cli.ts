// Runs the tool itself, as a person does: its arguments, what it says, and its exit code.
import { join } from 'node:path';
import { start } from '../../src/process.ts';

const CLI = join(import.meta.dirname, '../../src/cli.ts');

export type Said = { readonly code: number | string; readonly out: string; readonly err: string };

export const firedrill = async (
  argv: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Said> => {
  const tool = await start({
    name: 'firedrill',
    argv: [process.execPath, '--disable-warning=ExperimentalWarning', CLI, ...argv],
    cwd,
    ...(env ? { env } : {}),
  });
  let [out, err] = ['', ''];
  tool.child.stdout!.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  tool.child.stderr!.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  const code = await tool.ended;
  return { code, out, err };
};
