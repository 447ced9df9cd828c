// The two services of "Distributed Tracing with Jaeger": service-a is what users reach, and calls service-b.
import { platform } from '../src/platform.ts';

const errors = 0.003;
const failures = 'http_requests_total{status=~"5.."}';

export default platform({
  name: 'tracing-pair',
  entry: 'service-a',
  components: {
    'service-a': {
      pods: 2,
      port: 3001,
      endpoints: {
        'GET /healthy': { work: '1ms' },
        'GET /logs': { work: '3ms', errors },
        'GET /example': { work: '5ms', errors },
        'GET /call-service-b': {
          work: '15ms',
          errors,
          calls: [{ to: 'service-b', request: 'POST /hello', deadline: '800ms' }],
        },
      },
    },
    'service-b': { port: 3002, endpoints: { 'POST /hello': { work: '40ms', errors, answers: { message: 'hello' } } } },
  },
  journeys: {
    checkout: [
      { request: 'GET /healthy', at: '0ms' },
      { request: 'GET /logs', at: '200ms' },
      { request: 'GET /call-service-b', at: '400ms' },
      { request: 'GET /example', at: '800ms' },
      { request: 'GET /call-service-b', at: '1s' },
    ],
  },
  alerts: [
    { name: 'ServiceDown', expr: 'up == 0', for: '2s', severity: 'critical', summary: '{{ $labels.service }} is down' },
    {
      name: 'HighErrorRate',
      expr: `sum by (service) (rate(${failures}[30s])) / sum by (service) (rate(http_requests_total[30s])) > 0.1 and sum by (service) (increase(${failures}[30s])) > 5`,
      for: '2s',
      severity: 'critical',
      summary: '{{ $labels.service }} answers with errors',
    },
  ],
});
