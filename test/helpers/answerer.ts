// The inner half of an rpc, as a process of its own: `node answerer.ts`.
import { answer } from '../../src/targets/lab/rpc.ts';

const methods = {
  add: (a: number, b: number): number => a + b,
  nothing: (): void => undefined,
  late: async (ms: number): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return 'late';
  },
  fail: (): never => {
    throw new Error('no such device:\n  eth0');
  },
  shout: (): void => tell('shouted', { loud: true }),
  leave: (): void => {
    console.error('out of memory');
    process.exit(9);
  },
};

export type Answerer = typeof methods;

const tell = answer(methods);
