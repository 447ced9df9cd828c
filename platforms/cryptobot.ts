// Cryptobot of "Prometheus Monitoring for Cryptobot": five services on port 8000, with metrics labelled by method,
// endpoint and status. The dashboard is where users come in; strategies are evaluated whether anybody looks or not.
import { platform } from '../src/platform.ts';

const errors = 0.002;
const candles = { to: 'data-service', request: 'GET /candles/:pair', deadline: '400ms', retries: 1 } as const;
const trade = { to: 'trade-service', request: 'POST /trades', deadline: '800ms' } as const;
const failures = 'http_requests_total{status=~"5.."}';

export default platform({
  name: 'cryptobot',
  entry: 'dashboard-service',
  components: {
    'dashboard-service': {
      port: 8000,
      endpoints: {
        'GET /dashboard': {
          work: '4ms',
          errors,
          calls: [
            { to: 'trade-service', request: 'GET /portfolio', deadline: '600ms' },
            { to: 'strategy-service', request: 'GET /strategies', deadline: '600ms', optional: true },
          ],
        },
        'GET /charts/:pair': { work: '3ms', errors, calls: [candles] },
        'POST /trades': { work: '3ms', errors, calls: [{ ...trade, deadline: '1s' }] },
        'POST /backtests': {
          work: '3ms',
          errors,
          calls: [{ to: 'backtest-service', request: 'POST /backtests', deadline: '2s' }],
        },
      },
    },
    'trade-service': {
      pods: 2,
      port: 8000,
      endpoints: {
        'POST /trades': { work: '10ms', errors, calls: [candles] },
        'GET /portfolio': { work: '6ms', errors, calls: [candles] },
      },
    },
    'strategy-service': {
      port: 8000,
      endpoints: {
        'GET /strategies': { work: '5ms', errors },
        'POST /evaluations': { work: '12ms', errors, calls: [candles, { ...trade, share: 0.3 }] },
      },
      ticks: [{ every: '1s', request: 'POST /evaluations' }],
    },
    'backtest-service': {
      port: 8000,
      endpoints: { 'POST /backtests': { work: '60ms', p99: '200ms', errors, calls: [candles, candles] } },
    },
    'data-service': {
      pods: 2,
      port: 8000,
      endpoints: { 'GET /candles/:pair': { work: '5ms', errors } },
    },
  },
  journeys: {
    look: [
      { request: 'GET /dashboard', at: '0ms' },
      { request: 'GET /charts/BTC-USD', at: '300ms' },
    ],
    trade: [
      { request: 'GET /charts/BTC-USD', at: '0ms' },
      { request: 'POST /trades', at: '400ms', body: { order: '{order}', pair: 'BTC-USD', amount: 1 } },
      { request: 'GET /dashboard', at: '800ms' },
    ],
    backtest: [{ request: 'POST /backtests', at: '0ms', body: { strategy: 'momentum', user: '{user}' } }],
  },
  telemetry: { metrics: { labels: { path: 'endpoint' } } },
  recording: [{ record: 'service:http_requests:rate30s', expr: 'sum by (service) (rate(http_requests_total[30s]))' }],
  alerts: [
    { name: 'ServiceDown', expr: 'up == 0', for: '2s', severity: 'critical', summary: '{{ $labels.service }} is down' },
    {
      name: 'Errors',
      expr: `sum by (service) (rate(${failures}[30s])) / service:http_requests:rate30s > 0.1 and sum by (service) (increase(${failures}[30s])) > 5`,
      for: '2s',
      severity: 'critical',
      summary: '{{ $labels.service }} answers with errors',
    },
  ],
});
