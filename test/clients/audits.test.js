// GraphQL over HTTP, as the audits of graphql-http see it: every one of them, the optional ones too.
import assert from 'node:assert/strict';
import test from 'node:test';
import { serverAudits } from 'graphql-http';
import { headers, url } from './panel.js';

const audits = serverAudits({
  url,
  fetchFn: (input, init = {}) =>
    // A GET needs a header that no foreign page can set.
    fetch(input, { ...init, headers: { ...init.headers, ...headers, 'X-Catalyst-Client': 'audits' } }),
});

test('there are as many as are known', () => assert.equal(audits.length, 61));

for (const audit of audits) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
