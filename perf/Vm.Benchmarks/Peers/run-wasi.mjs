// Runs one program under V8: node run-wasi.mjs [--dir HOST GUEST]... [--instances N] ... -- MODULE ARGUMENTS
// The options are those of ChildCommand; what only other machines need is passed over. Writes the line of ChildReport.
import { readFileSync, existsSync } from 'node:fs';
import { basename } from 'node:path';
import { WASI } from 'node:wasi';

const options = process.argv.slice(2);
const preopens = {};
let instances = 0;
let at = 0;
for (; options[at] !== '--'; at++) {
    switch (options[at]) {
        case '--dir':
            preopens[options[at + 2]] = options[at + 1];
            at += 2;
            break;
        case '--instances':
            instances = Number(options[at + 1]);
            at++;
            break;
        case '--folder':
        case '--cache':
            at++;
            break;
        case '--at-once':
            break;
        default:
            throw new Error(`not understood: ${options[at]}`);
    }
}

const [path, ...programArguments] = options.slice(at + 1);

function residentKibibytes(field, otherwise) {
    const status = '/proc/self/status';
    const found = existsSync(status) ? readFileSync(status, 'utf8').match(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm')) : null;
    return found ? Number(found[1]) : otherwise();
}

function createWasi() {
    return new WASI({ version: 'preview1', args: [basename(path), ...programArguments], env: {}, preopens, returnOnExit: true });
}

const module = await WebAssembly.compile(readFileSync(path));
if (instances > 0) {
    const kept = [];
    for (let index = 0; index < instances; index++) {
        kept.push(await WebAssembly.instantiate(module, createWasi().getImportObject()));
    }

    globalThis.gc?.();
    process.stderr.write(`child: rss_kib=${residentKibibytes('VmRSS', () => Math.round(process.memoryUsage.rss() / 1024))}\n`);
    if (kept.length !== instances) {
        throw new Error('instances are missing');
    }
} else {
    const wasi = createWasi();
    const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
    const started = performance.now();
    process.exitCode = wasi.start(instance);
    const seconds = (performance.now() - started) / 1000;
    process.stderr.write(`child: run=${seconds.toFixed(6)} peak_kib=${residentKibibytes('VmHWM', () => process.resourceUsage().maxRSS)}\n`);
}
