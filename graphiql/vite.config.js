import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

// The panel serves the page from its own binary: every asset is written compressed, and only compressed, beside the
// Go package that embeds it.
const target = resolve(import.meta.dirname, '../internal/httpd/graphiql');

// packageOf returns the folder of the npm package that a bundled module belongs to, or null for our own sources.
function packageOf(id) {
  const file = id.replace(/^\0/, '').replace(/\?.*$/, '');
  if (!file.includes('/node_modules/')) return null;
  for (let dir = dirname(file); !dir.endsWith('/node_modules'); dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version) return dir;
  }
  return null;
}

// collectPackages is used for the page and for its workers, which Rolldown bundles on their own.
const packages = new Set();
const collectPackages = () => ({
  name: 'collect-packages',
  moduleParsed({ id }) {
    const dir = packageOf(id);
    if (dir) packages.add(dir);
  },
});

// notices is the text that the licences of the bundled packages ask to be passed on.
function notices() {
  const texts = new Map();
  for (const dir of packages) {
    const { name, version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
    const file = readdirSync(dir).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file ? readFileSync(join(dir, file), 'utf8').trim() : `Licence: ${license}`;
    texts.set(`${name} ${version}`, text);
  }
  return [...texts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, text]) => `${title}\n${'='.repeat(title.length)}\n\n${text}\n`)
    .join('\n\n');
}

const pack = () => ({
  name: 'pack',
  apply: 'build',
  writeBundle(options, bundle) {
    rmSync(target, { recursive: true, force: true });
    const write = (name, source) => {
      const file = join(target, `${name}.gz`);
      mkdirSync(dirname(file), { recursive: true });
      const packed = gzipSync(source, { level: constants.Z_BEST_COMPRESSION });
      packed[9] = 255; // the header's "operating system": unknown, so that every machine writes the same bytes
      writeFileSync(file, packed);
    };
    for (const { fileName, code, source } of Object.values(bundle)) write(fileName, code ?? source);
    // The same page for panels that show it to nobody but those who have signed in.
    write('signed-in.html', bundle['index.html'].source.replace('<html ', '<html data-for="signed-in" '));
    write('favicon.svg', readFileSync(join(import.meta.dirname, 'favicon.svg')));
    write('licenses.txt', notices());
  },
});

export default defineConfig({
  base: '/',
  publicDir: false,
  build: {
    outDir: 'node_modules/.graphiql',
    emptyOutDir: true,
    rolldownOptions: {
      onLog(level, log, report) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log); // "use client" means nothing here
      },
    },
    target: 'es2022',
    assetsDir: 'assets',
    assetsInlineLimit: 0, // the content security policy allows no data: scripts and no inline workers
    chunkSizeWarningLimit: 8192,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  plugins: [collectPackages(), pack()],
  worker: { format: 'es', plugins: () => [collectPackages()] },
});
