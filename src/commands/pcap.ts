// `firedrill pcap`: what captures show, and one request's packets cut out of them.
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { oneLine, Unreachable, Usage } from '../errors.ts';
import { createCutter } from '../pcap/cut.ts';
import { readFiles, type Tell } from '../pcap/files.ts';
import { accepting, type Filter, parseEnd } from '../pcap/filter.ts';
import { inlineMore } from '../pcap/inline.ts';
import { type Surveyed, surveyFiles, threadsFor, type Wanted } from '../pcap/shares.ts';
import { MOST_STRETCHES, type SurveyResult } from '../pcap/survey.ts';
import { isTagged, type Tags } from '../pcap/tags.ts';
import { createPcapWriter } from '../pcap/write.ts';
import { type Progress, progress } from '../progress.ts';
import { systemClock, toMs } from '../time.ts';
import { surveyJson, surveyText } from './pcap-text.ts';

export type PcapArguments = {
  readonly file: readonly string[];
  readonly user?: string | undefined;
  readonly session?: string | undefined;
  readonly requestId?: string | undefined;
  readonly host: readonly string[];
  readonly protocol?: 'tcp' | 'udp' | undefined;
  readonly http: boolean;
  readonly cut?: string | undefined;
  readonly top: number;
  readonly json: boolean;
};

/** Prints what the files show. 0 when all were read to their ends, 2 when one is damaged or nothing was there to cut. */
export const pcapCommand = async (argv: PcapArguments): Promise<number> => {
  const filter = filterOf(argv);
  const tags = tagsOf(argv);
  await check(argv, tags);
  inlineMore();
  const { files, result } = await survey(argv.file, { filter, tags, http: argv.http });
  process.stdout.write(argv.json ? surveyJson(files, result) : surveyText(files, result, argv));
  for (const { file, end } of files) if (end) process.stderr.write(`firedrill: ${file}: ${end}\n`);
  if (argv.cut !== undefined) await cut(argv, argv.cut, filter, result);
  return files.some(({ end }) => end !== null) ? 2 : 0;
};

const filterOf = ({ host, protocol }: PcapArguments): Filter => {
  if (host.length > 2) throw new Usage('--host may be given twice: a conversation has two ends');
  return { ends: host.map(parseEnd), protocol: protocol ?? null };
};

const tagsOf = ({ user, session, requestId }: PcapArguments): Tags => ({
  ...(user === undefined ? {} : { user }),
  ...(session === undefined ? {} : { session }),
  ...(requestId === undefined ? {} : { requestId }),
});

const check = async ({ file, cut, http }: PcapArguments, tags: Tags): Promise<void> => {
  if (isTagged(tags) && !http)
    throw new Usage('--user, --session and --request-id are read from HTTP: leave --no-http away');
  if (cut !== undefined && !isTagged(tags))
    throw new Usage('--cut needs --request-id, --session or --user, which say what to cut out');
  const inputs = await Promise.all(file.map(inputOf));
  if (cut !== undefined && inputs.includes(await placeOf(cut)))
    throw new Usage(`--cut ${cut} would overwrite a capture that is read`);
};

const inputOf = async (file: string): Promise<string> => {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Usage(`${file}: ${error.code === 'ENOENT' ? 'there is no such file' : oneLine(error)}`);
  });
  if (found.isDirectory()) throw new Usage(`${file}: is a folder; name the captures in it`);
  return realpath(file);
};

/** Where a file that need not be there yet is, or will be. */
const placeOf = async (file: string): Promise<string> =>
  realpath(file).catch(async () => join(await realpath(dirname(file)).catch(() => dirname(file)), basename(file)));

const survey = async (files: readonly string[], wanted: Wanted): Promise<Surveyed> => {
  const show = progress(process.stderr);
  try {
    return await surveyFiles(files, wanted, await threadsFor(files, wanted), telling(show));
  } finally {
    show.done();
  }
};

/** Says on a terminal how far the reading is. */
const telling = (show: Progress): Tell => {
  const began = systemClock.now();
  let shown = began;
  return (file, share, packets) => {
    const now = systemClock.now();
    if (toMs(now - shown) < 200) return;
    shown = now;
    const rate = packets / toMs(now - began) / 1000;
    show.now(`${file}: ${Math.floor(100 * share)} %, ${rate.toFixed(1)} million packets/s`);
  };
};

/** The second reading: the survey has said which packets they are. */
const cut = async ({ file }: PcapArguments, to: string, filter: Filter, found: SurveyResult): Promise<void> => {
  if (found.chosen === 0) throw new Unreachable(`no such request in the capture; ${to} was not written`);
  const writer = createPcapWriter(to);
  const cutter = createCutter(accepting(filter), found.stretches, writer);
  try {
    await readFiles(file, cutter.take);
  } finally {
    writer.close();
  }
  const left = found.chosen - found.stretches.length;
  const less = left > 0 ? `; ${left} requests beyond the first ${MOST_STRETCHES} were left out` : '';
  process.stderr.write(`${to}: ${cutter.written()} packets of ${found.stretches.length} requests${less}\n`);
};
