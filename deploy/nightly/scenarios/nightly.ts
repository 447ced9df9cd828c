// The drills of a night, one after the other. The control is one of them: a night with false alarms is a bad night, too.
import { latency, networkPolicy, none, podKill, scenario } from 'firedrill';

const expect = { traces: 'located', metrics: 'located' } as const;

export default [
  scenario('night: with nothing broken, nobody raises an alarm', { fault: none() }),
  scenario('night: a killed order-service is noticed', { fault: podKill('order-service', { pods: 'all' }), expect }),
  scenario('night: a cut between risk and portfolio is noticed', {
    fault: networkPolicy('risk-service->portfolio-service'),
    expect,
  }),
  scenario('night: a slow way to the order-service is noticed', {
    fault: latency('api-gateway->order-service', '300ms'),
    expect,
  }),
];
