import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useSyncExternalStore } from 'react';

import { SessionBar } from './bar.jsx';
import { defaultQuery, defaultTabs } from './examples.js';
import { fetcher } from './fetcher.js';
import { EXAMPLES_PLUGIN } from './gallery.jsx';
import { session } from './session.js';

const plugins = [HISTORY_PLUGIN, EXAMPLES_PLUGIN];

// guarded is set by the panel where the page is for people who have signed in.
const guarded = document.documentElement.dataset.for === 'signed-in';

// SchemaReload fetches the schema again when somebody signs in or out: anonymous callers may not introspect.
function SchemaReload() {
  const { introspect } = useGraphiQLActions();
  const identity = useSyncExternalStore(session.subscribe, () => session.get().identity);
  useEffect(() => {
    if (identity > 0) introspect();
  }, [identity, introspect]);
  return null;
}

// App is the whole page: who is signed in, above GraphiQL.
export function App() {
  const token = useSyncExternalStore(session.subscribe, () => session.get().token);
  if (guarded && !token) {
    return (
      <div className="catalyst">
        <SessionBar />
        <main className="guarded">Sign in to use GraphiQL. Programs find the API at /graphql.</main>
      </div>
    );
  }
  return (
    <div className="catalyst">
      <SessionBar />
      <GraphiQL
        fetcher={fetcher}
        plugins={plugins}
        defaultQuery={defaultQuery}
        defaultTabs={defaultTabs}
        defaultEditorToolsVisibility="variables"
        inputValueDeprecation
        schemaDescription
      >
        <GraphiQL.Logo>Catalyst</GraphiQL.Logo>
        <GraphiQL.Toolbar>
          {({ prettify, copy, merge }) => (
            <>
              {prettify}
              {merge}
              {copy}
              <SchemaReload />
            </>
          )}
        </GraphiQL.Toolbar>
      </GraphiQL>
    </div>
  );
}
