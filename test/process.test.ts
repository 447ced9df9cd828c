import { describe, expect, test } from '@jest/globals';
import { Unreachable } from '../src/errors.ts';
import { until } from '../src/poll.ts';
import { type Command, run, start } from '../src/process.ts';

const node = (code: string, more: Partial<Command> = {}): Command => ({
  name: 'child',
  argv: [process.execPath, '-e', code],
  ...more,
});
const FOREVER = 'setInterval(() => {}, 1000)';

/** Whether a process with that id still lives. */
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const line = (child: Awaited<ReturnType<typeof start>>): Promise<string> =>
  new Promise((resolve) => child.child.stdout!.once('data', (text) => resolve(String(text).trim())));

describe('a program that is run to its end', () => {
  test('gives what it wrote, and gets its input and its environment', async () => {
    const echo = "process.stdin.on('data', (text) => process.stdout.write(process.env.WHO + ':' + text))";
    expect(await run(node(echo, { env: { WHO: 'me' } }), 'hello')).toBe('me:hello');
  });

  test('is waited for until all that it wrote has been read', async () => {
    expect((await run(node("process.stdout.write('x'.repeat(300000))"))).length).toBe(300_000);
  });

  test('and fails is Unreachable with its exit code and its last words', async () => {
    const failing = run(node("console.error('no such device'); process.exit(4)"));
    await expect(failing).rejects.toBeInstanceOf(Unreachable);
    await expect(failing).rejects.toThrow(/^child: .* ended with 4: no such device$/);
  });

  test('and does not read its input fails by its own exit code, not by a broken pipe', async () => {
    await expect(run(node('process.exit(3)'), 'x'.repeat(1_000_000))).rejects.toThrow('ended with 3');
  });

  test('and is not there is Unreachable with its path', async () => {
    const missing = start({ name: 'prometheus', argv: ['/nonexistent/prometheus'] });
    await expect(missing).rejects.toThrow(/^prometheus: can't start \/nonexistent\/prometheus: .*ENOENT/);
    await expect(missing).rejects.toBeInstanceOf(Unreachable);
  });
});

describe('a program that is stopped', () => {
  test('is asked with SIGTERM and gone when stop resolves', async () => {
    const child = await start(node(FOREVER));
    await child.stop();
    expect(await child.ended).toBe('SIGTERM');
    expect(alive(child.child.pid!)).toBe(false);
  });

  test('and does not listen is killed after its grace', async () => {
    const deaf = await start(node(`process.on('SIGTERM', () => {}); console.log('ready'); ${FOREVER}`));
    expect(await line(deaf)).toBe('ready');
    await deaf.stop('SIGTERM', 50);
    expect(await deaf.ended).toBe('SIGKILL');
  });

  test('twice, or after its own end, is no error', async () => {
    const child = await start(node('process.exit(7)'));
    expect(await child.ended).toBe(7);
    await child.stop();
    await child.stop();
  });

  test('dies with the scope that started it', async () => {
    let pid = 0;
    {
      await using child = await start(node(FOREVER));
      pid = child.child.pid!;
      expect(alive(pid)).toBe(true);
    }
    expect(alive(pid)).toBe(false);
  });

  test('takes its children along when it has a group of its own', async () => {
    const parent = `const { spawn } = require('node:child_process'); const child = spawn(process.execPath, ['-e', '${FOREVER}'], { stdio: 'ignore' }); console.log(child.pid); ${FOREVER}`;
    const child = await start(node(parent, { group: true }));
    const grandchild = Number(await line(child));
    expect(alive(grandchild)).toBe(true);
    await child.stop();
    await until('end of the grandchild', () => (alive(grandchild) ? null : true), { forMs: 3000, everyMs: 10 });
  });
});

test('of what a program wrote to its errors, the end is kept', async () => {
  const child = await start(node("process.stderr.write('x'.repeat(100000) + ' the end')"));
  await child.ended;
  expect(child.complaint()).toMatch(/^x+ the end$/);
  expect(child.complaint().length).toBeLessThan(10_000);
});
