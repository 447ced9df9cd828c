// The Cloud Native Order Processor of "Monitoring & Observability System": accounts with balances, orders, an inventory of
// assets. Its structured log lines, X-Request-ID and X-Correlation-ID, and alert categories are those of the document,
// which names user_service and leaves the others to their subjects: orders, assets, sign-in, and the way in.
import { platform } from '../src/platform.ts';

const errors = 0.001;
const token = { to: 'auth-service', request: 'POST /auth/validate', deadline: '400ms' } as const;
const asset = { to: 'inventory-service', request: 'GET /assets/:asset', deadline: '400ms', retries: 1 } as const;
const failures = 'http_requests_total{status=~"5.."}';

export default platform({
  name: 'order-processor',
  entry: 'gateway',
  components: {
    gateway: {
      port: 8080,
      endpoints: {
        'POST /auth/register': {
          work: '2ms',
          errors,
          calls: [{ to: 'user-service', request: 'POST /users', deadline: '1s' }],
        },
        'POST /auth/login': {
          work: '2ms',
          errors,
          calls: [{ to: 'user-service', request: 'POST /users/login', deadline: '1s' }],
        },
        'GET /assets/:asset': { work: '2ms', errors, calls: [asset] },
        'POST /balance/deposit': {
          work: '2ms',
          errors,
          calls: [token, { to: 'user-service', request: 'POST /balance/deposit', deadline: '800ms' }],
        },
        'POST /orders': {
          work: '2ms',
          errors,
          calls: [token, { to: 'order-service', request: 'POST /orders', deadline: '1s' }],
        },
        'GET /portfolio': {
          work: '2ms',
          errors,
          calls: [token, { to: 'order-service', request: 'GET /portfolio', deadline: '1s' }],
        },
      },
    },
    'auth-service': {
      port: 8003,
      endpoints: { 'POST /auth/validate': { work: '3ms', errors }, 'POST /auth/tokens': { work: '5ms', errors } },
    },
    'user-service': {
      pods: 2,
      port: 8000,
      endpoints: {
        'POST /users': { work: '15ms', errors },
        'POST /users/login': {
          work: '12ms',
          errors,
          calls: [{ to: 'auth-service', request: 'POST /auth/tokens', deadline: '400ms' }],
        },
        'POST /balance/deposit': { work: '7ms', errors, answers: { operation: 'deposit' } },
        'POST /balance/hold': { work: '6ms', errors },
      },
    },
    'inventory-service': {
      port: 8001,
      endpoints: { 'GET /assets/:asset': { work: '4ms', errors, answers: { symbol: 'BTC', price: 64_000 } } },
    },
    'order-service': {
      pods: 2,
      port: 8002,
      endpoints: {
        'POST /orders': {
          work: '8ms',
          errors,
          calls: [asset, { to: 'user-service', request: 'POST /balance/hold', deadline: '600ms' }],
          answers: { state: 'created' },
        },
        'GET /portfolio': { work: '6ms', errors, calls: [asset] },
      },
    },
  },
  journeys: {
    newcomer: [
      { request: 'POST /auth/register', at: '0ms', body: { username: '{user}' } },
      { request: 'POST /auth/login', at: '300ms', body: { username: '{user}' } },
      { request: 'POST /balance/deposit', at: '700ms', body: { amount: 100 } },
    ],
    order: [
      { request: 'GET /assets/BTC', at: '0ms' },
      { request: 'POST /orders', at: '300ms', body: { order: '{order}', asset: 'BTC', quantity: 1 } },
      { request: 'GET /portfolio', at: '700ms' },
    ],
  },
  alerts: [
    {
      name: 'ServiceDown',
      expr: 'up == 0',
      for: '2s',
      severity: 'critical',
      summary: '{{ $labels.service }} is unavailable',
    },
    {
      name: 'HighErrorRate',
      expr: `sum by (service) (rate(${failures}[30s])) / sum by (service) (rate(http_requests_total[30s])) > 0.1 and sum by (service) (increase(${failures}[30s])) > 5`,
      for: '2s',
      severity: 'critical',
      summary: '{{ $labels.service }} exceeds its error rate',
    },
  ],
});
