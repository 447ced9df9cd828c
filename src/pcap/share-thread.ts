// One thread of a survey: workerData is its Part, what it found its only message.
import { parentPort, workerData } from 'node:worker_threads';
import { type Part, surveyShare } from './shares.ts';

const { found } = await surveyShare(workerData as Part);
parentPort!.postMessage(found);
