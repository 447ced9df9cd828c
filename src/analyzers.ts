// Every layer's analyzer: from evidence to suspects, blind.
import { analyzeAlerts } from './layers/alerts/analyzer.ts';
import { analyzeFlows } from './layers/flows/analyzer.ts';
import { analyzeLogs } from './layers/logs/analyzer.ts';
import { analyzeMetrics } from './layers/metrics/analyzer.ts';
import { analyzePackets } from './layers/packets/analyzer.ts';
import { analyzeTraces } from './layers/traces/analyzer.ts';

export const analyzers = {
  traces: analyzeTraces,
  metrics: analyzeMetrics,
  alerts: analyzeAlerts,
  logs: analyzeLogs,
  flows: analyzeFlows,
  packets: analyzePackets,
} as const;
