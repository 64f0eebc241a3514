// The session of this browser tab. The access token is kept for the tab's lifetime, so that a reload stays signed in;
// the refresh token is only held in memory, since a copy in a duplicated tab would be taken for a stolen one.

const storageKey = 'catalyst:access-token';

let state = { token: sessionStorage.getItem(storageKey) ?? '', refreshToken: '', identity: 0 };
const listeners = new Set();

function set(change) {
  state = { ...state, ...change };
  if (state.token) sessionStorage.setItem(storageKey, state.token);
  else sessionStorage.removeItem(storageKey);
  for (const listener of listeners) listener();
}

// expiry returns when a JWT expires in milliseconds; 0 for anything else, such as an API key.
export function expiry(token) {
  try {
    const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(payload)).exp * 1000 || 0;
  } catch {
    return 0;
  }
}

export const session = {
  get: () => state,

  subscribe(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  // use makes token the credential of every following request.
  use(token) {
    set({ token: token.trim().replace(/^Bearer\s+/i, ''), refreshToken: '', identity: state.identity + 1 });
  },

  // signOut forgets the credentials.
  signOut() {
    set({ token: '', refreshToken: '', identity: state.identity + 1 });
  },

  // adopt signs in with the tokens of an answer to login, register or refreshSession, if it holds any.
  adopt(data) {
    for (const payload of Object.values(data ?? {})) {
      if (typeof payload?.accessToken !== 'string') continue;
      const refreshToken = payload.refreshToken ?? '';
      set({ token: payload.accessToken, refreshToken, identity: state.identity + 1 });
    }
  },

  // renewed replaces the tokens of the same person.
  renewed({ accessToken, refreshToken }) {
    set({ token: accessToken, refreshToken });
  },
};
