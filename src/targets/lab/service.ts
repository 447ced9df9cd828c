// Plays one pod of any component of any platform: `node service.ts <config.json>`.
import { flushCompileCache } from 'node:module';
import { oneLine } from '../../errors.ts';

const main = async (file: string | undefined): Promise<void> => {
  const { readConfig } = await import('./service/config.ts');
  const config = await readConfig(file);
  const { startPod } = await import('./service/pod.ts');
  const pod = await startPod(config);
  // Node keeps compiled code only at an orderly end, which a pod seldom has.
  flushCompileCache();
  const stop = (): void => void pod.stop().finally(() => process.exit(0));
  process.once('SIGTERM', stop).once('SIGINT', stop);
};

// Whoever reads the log may be gone before this pod is.
process.stdout.on('error', () => {});

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`service: ${oneLine(error)}\n`);
  process.exit(64);
});
