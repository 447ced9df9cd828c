// The pipeline of "Trading Platform Monitoring - Complete Guide": signals are generated, matched to pipelines and executed
// by workers. Metrics are named as OpenTelemetry names them, services by Prometheus's own `job`. Kafka and the task queue
// are played by the requests that they carry.
import { platform } from '../src/platform.ts';

const errors = 0.002;
const execute = { to: 'celery-worker', request: 'POST /tasks', deadline: '800ms' } as const;
const served = 'http_server_request_duration_seconds';

export default platform({
  name: 'signal-pipeline',
  entry: 'backend',
  components: {
    backend: {
      pods: 2,
      port: 8001,
      endpoints: {
        'GET /pipelines': { work: '5ms', errors },
        'POST /pipelines/:pipeline/execute': { work: '6ms', errors, calls: [execute] },
        'GET /signals': {
          work: '4ms',
          errors,
          calls: [{ to: 'signal-generator', request: 'GET /signals/latest', deadline: '500ms' }],
        },
        'POST /signals': {
          work: '4ms',
          errors,
          calls: [{ to: 'signal-generator', request: 'POST /signals', deadline: '1s' }],
        },
      },
    },
    'celery-worker': {
      pods: 2,
      port: 8002,
      endpoints: { 'POST /tasks': { work: '25ms', errors, answers: { status: 'success' } } },
    },
    'signal-generator': {
      port: 8003,
      endpoints: {
        'GET /signals/latest': { work: '4ms', errors },
        'POST /signals': {
          work: '10ms',
          errors,
          calls: [{ to: 'trigger-dispatcher', request: 'POST /batches', deadline: '900ms' }],
        },
      },
      ticks: [{ every: '500ms', request: 'POST /signals' }],
    },
    'trigger-dispatcher': {
      port: 8004,
      endpoints: { 'POST /batches': { work: '8ms', errors, calls: [{ ...execute, deadline: '700ms', share: 0.7 }] } },
    },
  },
  journeys: {
    run: [
      { request: 'GET /pipelines', at: '0ms' },
      { request: 'POST /pipelines/:pipeline/execute', at: '300ms', body: { trigger_mode: 'manual' } },
    ],
    signals: [
      { request: 'GET /signals', at: '0ms' },
      { request: 'POST /signals', at: '400ms', body: { signal_type: 'golden_cross', source: '{user}' } },
    ],
  },
  telemetry: {
    metrics: {
      // OpenTelemetry has no counter of requests: the histogram's count is one.
      requests: `${served}_count`,
      duration: served,
      clientRequests: 'http_client_request_duration_seconds_count',
      clientDuration: 'http_client_request_duration_seconds',
      labels: {
        service: 'job',
        peer: 'server_address',
        method: 'http_request_method',
        path: 'http_route',
        status: 'http_response_status_code',
      },
    },
    logs: { format: 'logfmt', fields: { message: 'event' } },
  },
  alerts: [
    {
      name: 'ServiceDown',
      expr: 'up == 0',
      for: '2s',
      severity: 'critical',
      summary: 'Service {{ $labels.job }} is down',
    },
    {
      name: 'HighPipelineFailureRate',
      expr: `sum by (job) (rate(${served}_count{http_response_status_code=~"5.."}[30s])) / sum by (job) (rate(${served}_count[30s])) > 0.1 and sum by (job) (increase(${served}_count{http_response_status_code=~"5.."}[30s])) > 5`,
      for: '2s',
      summary: 'Failure rate of {{ $labels.job }} above 10%',
    },
  ],
});
