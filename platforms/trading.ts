// The trading platform of "Kubernetes Monitoring and Tracing Tools for Trading Platform": users log in, look at prices,
// trade and look at what they own. Every request is authenticated; prices, sessions and positions have several readers.
import { platform } from '../src/platform.ts';

/** Every endpoint fails this often by itself; an order passes nine of them, a quote four. */
const errors = 0.001;
const verify = { to: 'auth-service', request: 'GET /auth/verify', deadline: '500ms' } as const;
const quote = { to: 'market-data', request: 'GET /quotes/:symbol', deadline: '400ms', retries: 1 } as const;
const session = { to: 'session-manager', request: 'GET /sessions/:session', deadline: '400ms' } as const;
const position = { to: 'portfolio-service', request: 'PUT /positions/:symbol', deadline: '500ms' } as const;

const failures = 'http_requests_total{status=~"5.."}';
const unanswered = 'http_client_requests_total{status=~"error|timeout"}';

export default platform({
  name: 'trading',
  entry: 'api-gateway',
  // As deploy/ has it.
  telemetry: { traces: { exportDelay: '1s' }, logs: { shippingDelay: '1s' } },
  kubernetes: { observability: ['observability'] },
  components: {
    'api-gateway': {
      pods: 2,
      port: 8080,
      endpoints: {
        'POST /login': {
          work: '2ms',
          errors,
          calls: [{ to: 'auth-service', request: 'POST /auth/login', deadline: '800ms' }],
        },
        'POST /logout': {
          work: '2ms',
          errors,
          calls: [verify, { to: 'session-manager', request: 'DELETE /sessions/:session', deadline: '500ms' }],
        },
        'GET /quotes/:symbol': { work: '2ms', errors, calls: [verify, quote] },
        'POST /orders': {
          work: '3ms',
          errors,
          calls: [verify, { to: 'order-service', request: 'POST /orders', deadline: '1s' }],
        },
        'PATCH /orders/:order': {
          work: '3ms',
          errors,
          calls: [verify, { to: 'order-service', request: 'PATCH /orders/:order', deadline: '1s' }],
        },
        'DELETE /orders/:order': {
          work: '2ms',
          errors,
          calls: [verify, { to: 'order-service', request: 'DELETE /orders/:order', deadline: '1s' }],
        },
        'GET /portfolio': {
          work: '2ms',
          errors,
          calls: [verify, { to: 'portfolio-service', request: 'GET /portfolio', deadline: '800ms' }],
        },
      },
    },
    'auth-service': {
      port: 8081,
      endpoints: {
        'POST /auth/login': {
          work: '12ms',
          errors,
          calls: [{ to: 'session-manager', request: 'POST /sessions', deadline: '400ms' }],
        },
        'GET /auth/verify': { work: '2ms', errors, calls: [session] },
      },
    },
    'session-manager': {
      port: 8082,
      endpoints: {
        'POST /sessions': { work: '4ms', errors },
        'GET /sessions/:session': { work: '2ms', errors },
        'DELETE /sessions/:session': { work: '3ms', errors },
      },
    },
    'order-service': {
      pods: 2,
      port: 8083,
      endpoints: {
        'POST /orders': {
          work: '6ms',
          errors,
          calls: [
            { to: 'risk-service', request: 'POST /checks', deadline: '500ms' },
            { to: 'matching-engine', request: 'POST /book/orders', deadline: '600ms' },
            { ...position, share: 0.4 },
          ],
          answers: { state: 'accepted' },
        },
        'PATCH /orders/:order': {
          work: '5ms',
          errors,
          calls: [
            { to: 'risk-service', request: 'POST /checks', deadline: '500ms' },
            { to: 'matching-engine', request: 'PATCH /book/orders/:order', deadline: '600ms' },
          ],
          answers: { state: 'amended' },
        },
        'DELETE /orders/:order': {
          work: '4ms',
          errors,
          calls: [{ to: 'matching-engine', request: 'DELETE /book/orders/:order', deadline: '600ms' }],
          answers: { state: 'cancelled' },
        },
      },
    },
    'matching-engine': {
      port: 8084,
      endpoints: {
        'POST /book/orders': {
          work: '8ms',
          errors,
          calls: [{ to: 'market-data', request: 'POST /trades', deadline: '400ms', share: 0.5 }],
        },
        'PATCH /book/orders/:order': { work: '6ms', errors },
        'DELETE /book/orders/:order': { work: '4ms', errors },
      },
    },
    'market-data': {
      port: 8085,
      endpoints: {
        'GET /quotes/:symbol': { work: '3ms', errors, answers: { bid: 101.25, ask: 101.5 } },
        'POST /trades': { work: '3ms', errors },
      },
    },
    'portfolio-service': {
      port: 8086,
      endpoints: {
        'GET /portfolio': { work: '8ms', errors, calls: [quote] },
        'GET /positions/:symbol': { work: '4ms', errors },
        'PUT /positions/:symbol': { work: '5ms', errors },
      },
    },
    'risk-service': {
      port: 8087,
      endpoints: {
        'POST /checks': {
          work: '5ms',
          errors,
          calls: [quote, { to: 'portfolio-service', request: 'GET /positions/:symbol', deadline: '400ms' }],
        },
      },
    },
  },
  journeys: {
    trade: [
      { request: 'POST /login', at: '0ms', body: { username: '{user}', session: '{session}' } },
      { request: 'GET /quotes/ACME', at: '300ms' },
      {
        request: 'POST /orders',
        at: '700ms',
        body: { order: '{order}', symbol: 'ACME', side: 'buy', quantity: 10, price: 101 },
      },
      { request: 'PATCH /orders/:order', at: '1100ms', body: { quantity: 5 } },
      { request: 'DELETE /orders/:order', at: '1500ms' },
      { request: 'GET /portfolio', at: '1800ms' },
      { request: 'POST /logout', at: '2100ms', body: { session: '{session}' } },
    ],
    order: [
      { request: 'GET /quotes/ACME', at: '0ms' },
      {
        request: 'POST /orders',
        at: '300ms',
        body: { order: '{order}', symbol: 'ACME', side: 'sell', quantity: 3, price: 102 },
      },
    ],
    watch: [
      { request: 'GET /quotes/ACME', at: '0ms' },
      { request: 'GET /portfolio', at: '400ms' },
    ],
  },
  recording: [
    { record: 'service:http_requests:rate30s', expr: 'sum by (service) (rate(http_requests_total[30s]))' },
    { record: 'service:http_failures:rate30s', expr: `sum by (service) (rate(${failures}[30s]))` },
  ],
  alerts: [
    { name: 'ServiceDown', expr: 'up == 0', for: '2s', severity: 'critical', summary: '{{ $labels.service }} is down' },
    {
      // A ratio alone would fire on the one failure of a quiet service.
      name: 'HighErrorRate',
      expr: `service:http_failures:rate30s / service:http_requests:rate30s > 0.1 and sum by (service) (increase(${failures}[30s])) > 5`,
      for: '2s',
      severity: 'critical',
      summary: '{{ $labels.service }} answers with errors',
    },
    {
      name: 'CallsUnanswered',
      expr: `sum by (service, peer) (rate(${unanswered}[30s])) / sum by (service, peer) (rate(http_client_requests_total[30s])) > 0.1 and sum by (service, peer) (increase(${unanswered}[30s])) > 5`,
      for: '2s',
      severity: 'critical',
      summary: '{{ $labels.service }} gets no answer from {{ $labels.peer }}',
    },
  ],
});
