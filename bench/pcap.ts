// Reading captures, against what else would be used for it, in one run: `npm run bench:pcap [packets]`. The capture is made
// here, from a seed. Numbers are the best of several rounds, each round with everybody in turn, since other work on the
// machine only ever makes them worse; tools that are not installed are named. tshark gets a part of the capture,
// as it needs minutes for the whole. pcap-parser only splits the file into packets, tcpdump prints a line of each. firedrill is run as it
// is installed, from dist/, which is built first.
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import pcapParser from 'pcap-parser';
import { oneLine } from '../src/errors.ts';
import type { SurveyResult } from '../src/pcap/survey.ts';
import { run } from '../src/process.ts';
import { makeCapture } from './capture.ts';

const PACKETS = Number(process.argv[2] ?? 10_000_000);
const PART = Math.min(PACKETS, 200_000);
const ROUNDS = 5;
const MOST_RSS_MB = 300;

/** One reading of a capture: in how many milliseconds how many packets. */
type Reading = { readonly name: string; readonly file: string; read(file: string): Promise<Timed> };
type Timed = { readonly packets: number; readonly ms: number };

const survey = async (file: string, http: boolean): Promise<Timed & { readonly result: SurveyResult }> => {
  const thread = new Worker(new URL('./pcap-thread.mjs', import.meta.url), { workerData: { file, http } });
  const [said] = await once(thread, 'message');
  await thread.terminate();
  return said;
};

const timed = async (reading: Promise<number>): Promise<Timed> => {
  const from = performance.now();
  return { packets: await reading, ms: performance.now() - from };
};

/** As a user runs it, in a process of its own, which says at its end how much memory it had. */
const command = async (file: string, ...options: string[]): Promise<number> => {
  const cli = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));
  const watch = `process.on('exit', () => process.stderr.write('rss ' + process.resourceUsage().maxRSS + '\\n'))`;
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--import',
    `data:text/javascript,${encodeURIComponent(watch)}`,
  ];
  const shell = [...node, cli, 'pcap', file, '--json', ...options]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(' ');
  const said = await run({ name: 'firedrill pcap', argv: ['sh', '-c', `${shell} 2>&1`] });
  rss = Math.max(rss, Number(/^rss (\d+)$/m.exec(said)?.[1] ?? Number.NaN) / 1024);
  return Number(/"packets": (\d+),\n {2}"bytes"/.exec(said)?.[1]);
};
let rss = 0;

const parser = (file: string): Promise<number> =>
  new Promise((resolve, reject) => {
    let packets = 0;
    const it = pcapParser.parse(createReadStream(file));
    it.on('packet', () => {
      packets += 1;
    });
    it.on('end', () => resolve(packets));
    it.on('error', reject);
  });

/** Its lines are thrown away: what is measured is the reading and the decoding. */
const tcpdump = async (file: string, packets: number): Promise<number> => {
  await run({ name: 'tcpdump', argv: ['sh', '-c', `tcpdump -Z "$(id -un)" -nqt -r '${file}' > /dev/null`] });
  return packets;
};

const FIELDS = ['tcp.analysis.retransmission', 'tcp.analysis.out_of_order', 'tcp.flags.reset==1', 'http.time'] as const;

/** Without it an answer whose first segment was overtaken is none to tshark. */
const IN_ORDER = 'tcp.reassemble_out_of_order:TRUE';

/** What tshark counts: packets by field, and TCP streams. */
const tshark = async (file: string): Promise<{ counts: number[]; streams: number }> => {
  const stat = `io,stat,0,${FIELDS.join(',')},MAX(tcp.stream)tcp.stream`;
  const said = await run({ name: 'tshark', argv: ['tshark', '-r', file, '-o', IN_ORDER, '-q', '-z', stat] });
  const row = said.split('\n').find((line) => line.includes('<>'))!;
  const cells = row
    .split('|')
    .slice(2)
    .map((cell) => Number(cell.trim()));
  return { counts: FIELDS.map((_, i) => cells[2 * i]!), streams: cells[2 * FIELDS.length]! + 1 };
};

/**
 * The same counts of ours. An answer is timed here by its first bytes, and in tshark when all of it is there: those that the
 * end of the capture cuts in two are taken off.
 */
const compare = async (file: string, halfAnswers: number): Promise<void> => {
  const theirs = await tshark(file);
  const { result } = await survey(file, true);
  const sum = (key: 'retransmissions' | 'outOfOrder' | 'resets' | 'conversations'): number =>
    result.conversations.reduce((all, one) => all + one[key], 0);
  const answered = result.endpoints.reduce((all, one) => all + one.answered, 0);
  const ours = [sum('retransmissions'), sum('outOfOrder'), sum('resets'), answered - halfAnswers];
  FIELDS.forEach((field, i) => {
    console.log(`${field.padEnd(30)} ${String(theirs.counts[i]).padStart(9)} ${String(ours[i]).padStart(9)}`);
  });
  console.log(
    `${'tcp.stream'.padEnd(30)} ${String(theirs.streams).padStart(9)} ${String(sum('conversations')).padStart(9)}`,
  );
};

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-'));
try {
  const file = join(folder, 'whole.pcap');
  const part = join(folder, 'part.pcap');
  console.log('made:', JSON.stringify(makeCapture(file, PACKETS)));
  // The same seed begins with the same packets.
  const { halfAnswers } = makeCapture(part, PART);

  const readings: Reading[] = [
    { name: 'firedrill, conversations', file, read: (from) => survey(from, false) },
    { name: 'firedrill, HTTP by user', file, read: (from) => survey(from, true) },
    { name: 'firedrill pcap --no-http', file, read: (from) => timed(command(from, '--no-http')) },
    { name: 'firedrill pcap', file, read: (from) => timed(command(from)) },
    { name: 'tcpdump -r', file, read: (from) => timed(tcpdump(from, PACKETS)) },
    { name: 'pcap-parser', file: part, read: (from) => timed(parser(from)) },
    { name: 'tshark', file: part, read: (from) => timed(tshark(from).then(() => PART)) },
  ];
  const best = new Map<string, number>();
  const missing = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, file, read } of readings.filter((one) => !missing.has(one.name))) {
      try {
        const { packets, ms } = await read(file);
        best.set(name, Math.max(best.get(name) ?? 0, packets / ms / 1000));
      } catch (error) {
        missing.set(name, oneLine(error));
      }
    }
  }
  const mine = best.get('firedrill, conversations')!;
  console.log(`\nbest of ${ROUNDS}; tshark and pcap-parser on the first ${PART} packets`);
  for (const [name, rate] of best)
    console.log(
      `${name.padEnd(30)} ${rate.toFixed(2).padStart(7)} million packets/s  ${(mine / rate).toFixed(1).padStart(6)} x`,
    );
  for (const [name, why] of missing) console.log(`${name.padEnd(30)} missing: ${why}`);
  console.log(
    `firedrill pcap: at most ${rss.toFixed(0)} MB of memory (${rss < MOST_RSS_MB ? 'under' : 'OVER'} ${MOST_RSS_MB})`,
  );
  console.log(`\n${'counts'.padEnd(30)}    tshark firedrill`);
  if (!missing.has('tshark')) await compare(part, halfAnswers);
} finally {
  rmSync(folder, { recursive: true });
}
