import { networkPolicy, scenario } from 'firedrill';

export default scenario('a network policy cuts one edge', {
  traffic: { rate: '25/s' },
  fault: networkPolicy('risk-service->portfolio-service', { how: 'drop' }),
  hold: '20s',
  expect: {
    traces: 'located',
    metrics: 'located',
    alerts: 'located',
    logs: 'located',
    flows: 'located',
    packets: 'located',
  },
});
