// tus-js-client uploads to a signed address, goes on after it was paused, and after the panel was restarted under it.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import * as tus from 'tus-js-client';
import { send, serverId } from './panel.js';

const MiB = 1 << 20;
const content = randomBytes(12 * MiB);
const sum = (bytes) => createHash('sha256').update(bytes).digest('hex');

// createUpload returns the address that a file is sent to.
async function createUpload(path, size) {
  const data = await send(
    'mutation($id: ID!, $p: String!, $n: Bytes!) { createUpload(input: {serverId: $id, path: $p, size: $n}) { url } }',
    { id: serverId, p: path, n: size },
  );
  return data.createUpload.url;
}

// download returns what is at a path now.
async function download(path) {
  const data = await send(
    'mutation($id: ID!, $p: String!) { createDownload(input: {serverId: $id, paths: [$p]}) { url } }',
    { id: serverId, p: path },
  );
  const response = await fetch(data.createDownload.url);
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

// names are those of the files at the root.
async function names() {
  const data = await send('query($id: ID!) { server(id: $id) { files(first: 100) { edges { node { name } } } } }', {
    id: serverId,
  });
  return data.server.files.edges.map(({ node }) => node.name);
}

// finished starts an upload and waits for its end. Without one in time, the test's own time-out says so.
const finished = (file, options, before = () => {}) =>
  new Promise((onSuccess, onError) => {
    const upload = new tus.Upload(file, { ...options, onSuccess, onError });
    Promise.resolve(before(upload)).then(() => upload.start(), onError);
  });

test('an upload in one go', { timeout: 30_000 }, async () => {
  await finished(content, { endpoint: await createUpload('once.bin', content.length) });
  assert.equal(sum(await download('once.bin')), sum(content));
});

test('an upload goes on where it was paused', { timeout: 30_000 }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'catalyst-tus-'));
  t.after(() => rm(dir, { recursive: true }));
  const options = {
    endpoint: await createUpload('paused.bin', content.length),
    chunkSize: MiB,
    urlStorage: new tus.FileUrlStorage(join(dir, 'urls.json')),
  };
  const paused = await new Promise((resolve, onError) => {
    const upload = new tus.Upload(content, {
      ...options,
      onError,
      onChunkComplete: (_, sent) => {
        if (sent === 5 * MiB) resolve(upload.abort().then(() => upload));
      },
    });
    upload.start();
  });
  assert.ok(paused.url);
  assert.ok(!(await names()).includes('paused.bin'), 'half a file is at its place');

  // Another upload of the same bytes finds in the storage where the first one was.
  const offsets = [];
  await finished(
    content,
    { ...options, onAfterResponse: (request, response) => {
      if (request.getMethod() === 'HEAD') offsets.push(Number(response.getHeader('Upload-Offset')));
    } },
    async (upload) => {
      const [previous] = await upload.findPreviousUploads();
      assert.ok(previous, 'the upload was not remembered');
      upload.resumeFromPreviousUpload(previous);
    },
  );
  assert.equal(offsets.length, 1);
  assert.ok(offsets[0] >= 5 * MiB, `it went on at ${offsets[0]}`);
  assert.equal(sum(await download('paused.bin')), sum(content));
});

test('an upload goes on after a restart of the panel', { timeout: 60_000 }, async () => {
  const half = content.length / 2;
  let cut;
  const wasCut = new Promise((resolve) => (cut = resolve));
  // The first request stops in the middle, and the panel is asked to end while it waits for the rest.
  async function* halting() {
    for (let at = 0; at < half; at += MiB) yield content.subarray(at, at + MiB);
    await new Promise((resolve) => setTimeout(resolve, 500)); // what was sent is on its way through panel and node
    console.log('restart now');
    await wasCut;
  }
  let requests = 0;
  const source = {
    size: content.length,
    slice: async (start, end) => {
      requests += 1;
      const value = requests === 1 ? Readable.from(halting(), { objectMode: false }) : content.subarray(start, end);
      value.size = end - start;
      return { value, done: end >= content.length };
    },
    close: () => {},
  };
  const offsets = [];
  await finished(content, {
    endpoint: await createUpload('restarted.bin', content.length),
    fileReader: { openFile: async () => source },
    retryDelays: Array(100).fill(200),
    onShouldRetry: () => {
      cut();
      return true;
    },
    onAfterResponse: (request, response) => {
      const offset = response.getHeader('Upload-Offset');
      if (request.getMethod() === 'HEAD' && offset) offsets.push(Number(offset));
    },
  });
  assert.ok(offsets[0] > 0, 'what was sent before is lost');
  assert.ok(offsets[0] <= half);
  assert.equal(sum(await download('restarted.bin')), sum(content));
});

test('an upload that is cancelled leaves nothing', { timeout: 30_000 }, async () => {
  const endpoint = await createUpload('cancelled.bin', content.length);
  await new Promise((resolve, onError) => {
    const upload = new tus.Upload(content, {
      endpoint,
      chunkSize: MiB,
      onError,
      onChunkComplete: (_, sent) => {
        if (sent === 3 * MiB) resolve(upload.abort(true));
      },
    });
    upload.start();
  });
  const response = await fetch(endpoint, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } });
  assert.ok([404, 410].includes(response.status), `it is still there: ${response.status}`);
  assert.ok(!(await names()).includes('cancelled.bin'));
});
