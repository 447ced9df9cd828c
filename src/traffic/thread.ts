// One thread of the traffic client: workerData is its Part, any message to it ends its traffic. Its standard output is its part of the
// ledger; what it came to is its only message.
import { parentPort, workerData } from 'node:worker_threads';
import { shard, unpacked } from './plan.ts';
import { tellRecords } from './tell.ts';
import type { Part, Told } from './threads.ts';

const { plan, worker, of, startAt } = workerData as Part;
const ending = new AbortController();
parentPort!.once('message', () => ending.abort());
const share = shard(unpacked(plan), worker, of);
const { all, loop } = await tellRecords({ plan: share, startAt, output: process.stdout, ending });
parentPort!.postMessage({ counted: all.counted(), loop } satisfies Told);
parentPort!.close();
