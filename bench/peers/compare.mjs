// Times one network in ONNX Runtime and in Tidbit, interleaved, and prints a table. See compare.sh.
//   node compare.mjs TIDBIT MODELS NETWORK ROUNDS THREADS...
import {execFileSync} from 'node:child_process';
import {createRequire} from 'node:module';
import os from 'node:os';
import * as ort from 'onnxruntime-node';

const [tidbit, models, network, rounds, ...threadCounts] = process.argv.slice(2);
const kRunsOfRound = 20;

const milliseconds = (begin) => Number(process.hrtime.bigint() - begin) / 1e6;

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/// One session of ONNX Runtime; time() is the median of a round, in milliseconds.
class OnnxRuntime {
  static async create(precision, file, threads) {
    const session = await ort.InferenceSession.create(
        `${models}/${network}_${file}.onnx`,
        {intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', logSeverityLevel: 3});
    return new OnnxRuntime(precision, session, threads);
  }

  constructor(precision, session, threads) {
    Object.assign(this, {runtime: 'ONNX Runtime', precision, session, threads, rounds: []});
    const {name, shape} = session.inputMetadata[0];
    const pixels = Float32Array.from({length: shape.reduce((a, b) => a * b)}, () => 4 * Math.random() - 2);
    this.feeds = {[name]: new ort.Tensor('float32', pixels, shape)};
  }

  async time() {
    const times = [];
    for (let run = -3; run < kRunsOfRound; ++run) {  // the first three warm up
      const begin = process.hrtime.bigint();
      await this.session.run(this.feeds);
      if (run >= 0) times.push(milliseconds(begin));
    }
    return median(times);
  }
}

/// Tidbit's own benchmark, a process a round, which warms up by itself.
class Tidbit {
  constructor(precision, threads) {
    Object.assign(this, {runtime: 'Tidbit', precision, threads, rounds: []});
  }

  async time() {
    const arguments_ = ['bench', `${models}/${network}_${this.precision}.tbit`, '--json'];
    arguments_.push('--threads', this.threads, '--repeat', kRunsOfRound);
    const result = JSON.parse(execFileSync(tidbit, arguments_.map(String)));
    this.tier = result.tier;
    return 1e3 * result.median_seconds;
  }
}

async function measure(threads) {
  const all = [
    await OnnxRuntime.create('float', 'float', threads),
    await OnnxRuntime.create('w8a8', 'w8a8_qdq', threads),
    ...['float', 'w8a8', 'w4a4', 'w2a2', 'w1a1'].map((precision) => new Tidbit(precision, threads)),
  ];
  for (let round = 0; round < Number(rounds); ++round) {
    for (const one of all) one.rounds.push(await one.time());
  }
  return all;
}

/// In a round, neighbours in time ran under the same load: ratios are taken there, and their median is shown.
function ratio(to, one) {
  return median(one.rounds.map((time, round) => to.rounds[round] / time)).toFixed(2);
}

function print(all) {
  for (const one of all) {
    const cells = [
      network, one.runtime, one.precision, one.threads, median(one.rounds).toFixed(2), Math.min(...one.rounds).toFixed(2),
      Math.max(...one.rounds).toFixed(2), ratio(all[0], one), ratio(all[1], one)
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

const version = createRequire(import.meta.url)('onnxruntime-node/package.json').version;
const tables = [];
for (const threads of threadCounts) tables.push(await measure(Number(threads)));
const tier = tables[0].at(-1).tier;
console.log(`ONNX Runtime ${version} (npm, W8A8 as QDQ), ${execFileSync(tidbit, ['--version'])}`.trim() +
    ` at tier ${tier}, on ${os.cpus()[0].model}: medians in ms of ${rounds} rounds of ${kRunsOfRound} runs,` +
    ' interleaved; times as fast as ONNX Runtime with floats, and with int8.\n');
console.log('| network | runtime | precision | threads | median | least | most | to float | to int8 |');
console.log('|---|---|---|--:|--:|--:|--:|--:|--:|');
tables.forEach(print);
