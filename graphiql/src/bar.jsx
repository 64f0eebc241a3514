import { useEffect, useState, useSyncExternalStore } from 'react';

import { post } from './fetcher.js';
import { expiry, session } from './session.js';

const login = /* GraphQL */ `
  mutation Login($input: LoginInput!) {
    login(input: $input) { user { username } accessToken refreshToken }
  }
`;

const viewer = /* GraphQL */ `
  query Viewer { viewer { user { username } } }
`;

// useName asks the panel who the token belongs to.
function useName(token) {
  const [answer, setAnswer] = useState({ token: '', name: '' });
  useEffect(() => {
    if (!token) return undefined;
    let current = true;
    post({ query: viewer }, { Authorization: `Bearer ${token}` }).then(({ data }) => {
      if (current) setAnswer({ token, name: data?.viewer?.user?.username ?? '' });
    });
    return () => {
      current = false;
    };
  }, [token]);
  return answer.token === token ? answer.name : undefined;
}

// SignIn is the form for people without a token.
function SignIn() {
  const [mode, setMode] = useState('password');
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    if (mode === 'token') {
      session.use(form.get('token'));
      return;
    }
    setBusy(true);
    const input = { login: form.get('login'), password: form.get('password') };
    if (form.get('totp')) input.totp = form.get('totp');
    const { data, errors } = await post({ query: login, variables: { input } }, {});
    setBusy(false);
    setError(errors?.[0]?.message ?? '');
    session.adopt(data);
  }

  return (
    <form onSubmit={submit} aria-label="Sign in">
      <select value={mode} onChange={(event) => setMode(event.target.value)} aria-label="How to sign in">
        <option value="password">Password</option>
        <option value="token">Access token or API key</option>
      </select>
      {mode === 'token' ? (
        <input name="token" type="password" placeholder="paste a token" autoComplete="off" required size={40} />
      ) : (
        <>
          <input name="login" placeholder="e-mail or user name" autoComplete="username" required />
          <input name="password" type="password" placeholder="password" autoComplete="current-password" required />
          <input name="totp" placeholder="code" autoComplete="one-time-code" inputMode="numeric" size={7} />
        </>
      )}
      <button type="submit" disabled={busy}>
        Sign in
      </button>
      {error && <output role="alert">{error}</output>}
    </form>
  );
}

// SignedIn says whose credentials are sent and until when.
function SignedIn({ token, renewable }) {
  const name = useName(token);
  const end = expiry(token);
  const until = end && !renewable ? ` until ${new Date(end).toLocaleTimeString()}` : '';
  return (
    <div className="signed-in">
      {name === '' ? (
        <output role="alert">The panel does not accept this token.</output>
      ) : (
        <span>
          Signed in{name ? ' as ' : ''}
          <strong>{name}</strong>
          {until}
        </span>
      )}
      <button type="button" onClick={() => navigator.clipboard.writeText(token)}>
        Copy token
      </button>
      <button type="button" onClick={() => session.signOut()}>
        Forget
      </button>
    </div>
  );
}

// SessionBar is the line above GraphiQL.
export function SessionBar() {
  const { token, refreshToken } = useSyncExternalStore(session.subscribe, session.get);
  return (
    <header className="session-bar">
      {token ? <SignedIn token={token} renewable={refreshToken !== ''} /> : <SignIn />}
      <span className="hint">
        An answer with an access token signs you in. Headers below the editor win over this line.
      </span>
    </header>
  );
}
