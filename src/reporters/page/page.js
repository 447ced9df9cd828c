// Runs in the reader's browser: draws the charts that the page carries as data. One axis, one cursor for all of them.
/* global uPlot */
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const END = data.bins * data.width;
  const HEIGHT = 190;
  const ROW = 26;
  const GUTTER = 58;
  const LABEL = 16;
  const FONT = '11px system-ui, sans-serif';

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const amount = (value, unit) => {
    if (value === null || value === undefined) return '–';
    const number = unit === '%' ? value * 100 : value;
    const digits = Number.isInteger(number) || Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
    return `${number.toFixed(digits)} ${unit}`;
  };
  const tick = (value, unit) => String(Number((unit === '%' ? value * 100 : value).toPrecision(3)));

  // ---- What lies under and over the lines --------------------------------------------------------------------------

  /** Calls `draw` with the canvas clipped to the plot, in CSS pixels. */
  const inPlot = (plot, draw) => {
    const { ctx, bbox } = plot;
    const ratio = uPlot.pxRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.scale(ratio, ratio);
    ctx.font = FONT;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'alphabetic';
    const x = (seconds) => plot.valToPos(seconds, 'x', true) / ratio;
    draw(ctx, x, {
      top: bbox.top / ratio,
      height: bbox.height / ratio,
      left: bbox.left / ratio,
      width: bbox.width / ratio,
    });
    ctx.restore();
  };

  const drawBands = (plot) =>
    inPlot(plot, (ctx, x, { top, height }) => {
      for (const { name, from, until } of data.bands) {
        ctx.fillStyle = colour(`band-${name}`);
        ctx.fillRect(x(from), top, x(until) - x(from), height);
        ctx.fillStyle = colour('soft');
        if (ctx.measureText(name).width + 6 < x(until) - x(from)) ctx.fillText(name, x(from) + 3, top + 11);
      }
    });

  /** The bracket of detection as a bar on the floor, and a dotted line from when on the layer says that trouble was. */
  const drawMarks = (plot, { since, bracket }) =>
    inPlot(plot, (ctx, x, { top, height, left, width }) => {
      ctx.strokeStyle = ctx.fillStyle = colour('ink');
      if (since !== null) dotted(ctx, x(since), top + 14, top + height);
      if (bracket === null) return;
      const floor = top + height;
      ctx.fillRect(x(bracket.from), floor - 4, Math.max(2, x(bracket.until) - x(bracket.from)), 4);
      const says = 'detected';
      const room = left + width - ctx.measureText(says).width - 4;
      ctx.fillText(says, Math.min(x(bracket.until) + 4, room), floor - 2);
    });

  const dotted = (ctx, x, from, until) => {
    ctx.setLineDash([2, 3]);
    ctx.beginPath();
    ctx.moveTo(x, from);
    ctx.lineTo(x, until);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillText('since', x + 3, from + 8);
  };

  const drawSpans = (plot, rows) =>
    inPlot(plot, (ctx, x, { top }) => {
      const fill = { pending: colour('odd'), firing: colour('bad'), suppressed: colour('soft') };
      rows.forEach(({ name, spans }, n) => {
        const y = top + 16 + n * ROW;
        for (const { from, until, state } of spans) {
          ctx.fillStyle = fill[state];
          ctx.fillRect(x(from), y + 12, Math.max(2, x(until) - x(from)), 8);
        }
        ctx.fillStyle = colour('ink');
        ctx.fillText(name, x(0) + 4, y + 10);
      });
    });

  // ---- Charts --------------------------------------------------------------------------------------------------

  const xs = Array.from({ length: data.bins }, (_, bin) => bin * data.width);
  const axis = (more) => ({
    stroke: () => colour('soft'),
    grid: { stroke: () => colour('line'), width: 1 },
    ticks: { stroke: () => colour('line'), width: 1, size: 4 },
    font: FONT,
    ...more,
  });
  const common = (width, height) => ({
    width,
    height,
    legend: { show: false },
    padding: [6, 10, 0, 0],
    scales: {
      x: { time: false, range: (_, min, max) => (min === max ? [0, END] : [Math.max(0, min), Math.min(END, max)]) },
    },
    cursor: { sync: { key: 'firedrill', scales: ['x', null] }, y: false },
  });
  const xAxis = axis({ size: 26, values: (_, splits) => splits.map((at) => `${at} s`) });

  const lines = ({ id, unit, series, marks }, width) => ({
    ...common(width, HEIGHT),
    scales: { ...common(width, HEIGHT).scales, y: { range: (_, __, max) => [0, max > 0 ? max * 1.2 : 1] } },
    axes: [
      xAxis,
      axis({
        size: GUTTER,
        values: (_, splits) => splits.map((value) => tick(value, unit)),
        label: unit,
        labelSize: LABEL,
        labelFont: FONT,
      }),
    ],
    series: [
      {},
      ...series.map(({ name, colour: key, bold }, n) => ({
        label: name,
        stroke: () => colour(key),
        width: bold ? 2.5 : 1.5,
        // Colour is not all that tells lines apart.
        dash: [[], [6, 3], [2, 3], [8, 3, 2, 3]][n % 4],
        // How many pods are up is a whole number at any time.
        ...(unit === 'pods' ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
        points: { size: 4 },
        spanGaps: false,
      })),
    ],
    hooks: {
      drawClear: [drawBands],
      draw: [(plot) => drawMarks(plot, marks)],
      setCursor: [(plot) => showLive(id, plot, series, unit)],
    },
  });

  const spans = ({ rows, marks }, width) => ({
    ...common(width, 60 + rows.length * ROW),
    scales: { ...common(width, HEIGHT).scales, y: { range: [0, 1] } },
    axes: [xAxis, axis({ size: GUTTER + LABEL, values: () => [], grid: { show: false }, ticks: { show: false } })],
    series: [{}, { points: { show: false } }],
    hooks: { drawClear: [drawBands], draw: [(plot) => drawSpans(plot, rows), (plot) => drawMarks(plot, marks)] },
  });

  const showLive = (id, plot, series, unit) => {
    const at = plot.cursor.idx;
    series.forEach(({ values }, n) => {
      const cell = document.querySelector(`[data-live="${id}/${n}"]`);
      cell.textContent = at === null || at === undefined ? '' : amount(values[at], unit);
    });
  };

  const make = (chart) => {
    const place = document.querySelector(`[data-chart="${chart.id}"]`);
    const width = place.clientWidth;
    const values = chart.kind === 'lines' ? chart.series.map((one) => one.values) : [xs.map(() => null)];
    const options = chart.kind === 'lines' ? lines(chart, width) : spans(chart, width);
    return { place, plot: new uPlot(options, [xs, ...values], place) };
  };

  const all = data.charts.map(make);
  const fit = () => {
    for (const { place, plot } of all) plot.setSize({ width: place.clientWidth, height: plot.height });
  };
  const resized = new ResizeObserver(fit);
  for (const { place } of all) resized.observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', fit);
  matchMedia('print').addEventListener('change', fit);

  // ---- Copying, and links into folded parts ------------------------------------------------------------------------

  for (const block of document.querySelectorAll('.code')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'copy';
    button.addEventListener('click', () => copy(block.querySelector('code'), button));
    block.append(button);
  }

  /** Where a page may not write to the clipboard, the text is at least selected. */
  const copy = async (text, button) => {
    getSelection().selectAllChildren(text);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = 'copied';
    } catch {
      button.textContent = 'selected';
    }
  };

  const unfold = () => {
    const folded = document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest('details');
    if (folded) folded.open = true;
  };
  addEventListener('hashchange', unfold);
  addEventListener('beforeprint', () => {
    for (const folded of document.querySelectorAll('details')) folded.open = true;
  });
  unfold();
})();
