// What Prometheus client libraries say about their process, under their standard names
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics). prom-client's own default metrics are
// some thirty more, which cost a scrape 2 to 15 ms of the event loop: enough to show in the latencies of a small machine.
import { Counter, Gauge, type Registry } from 'prom-client';
import { systemClock, toMs } from '../../../time.ts';

export const addProcessMetrics = (registry: Registry): void => {
  const registers = [registry];
  const started = toMs(systemClock.now()) / 1000 - process.uptime();
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    registers,
  }).set(started);
};
