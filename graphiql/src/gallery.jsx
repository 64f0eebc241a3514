import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';

// Every file holds the operations of one entity, as text; the first line says what it is about.
const files = import.meta.glob('../examples/*.graphql', { eager: true, query: '?raw', import: 'default' });

const examples = Object.entries(files).map(([file, text]) => ({
  name: file.replace(/^.*\/|\.graphql$/g, '').replaceAll('-', ' '),
  about: text.slice(2, text.indexOf('\n')),
  text,
}));

// variablesOf are the variables that the operations ask for, to be filled in.
function variablesOf(text) {
  const names = [...new Set([...text.matchAll(/\$(\w+):/g)].map(([, name]) => name))];
  return names.length > 0 ? `{\n${names.map((name) => `  "${name}": ""`).join(',\n')}\n}` : '';
}

// Gallery lists the examples; one that is chosen opens in a tab of its own.
function Gallery() {
  const { addTab } = useGraphiQLActions();
  const { queryEditor, variableEditor } = useGraphiQL(({ queryEditor, variableEditor }) => ({ queryEditor, variableEditor }));
  const open = ({ text }) => {
    addTab();
    queryEditor?.setValue(text);
    variableEditor?.setValue(variablesOf(text));
  };
  return (
    <section aria-label="Examples" className="gallery">
      <div className="graphiql-doc-explorer-title">Examples</div>
      <ul>
        {examples.map((example) => (
          <li key={example.name}>
            <button type="button" onClick={() => open(example)}>
              <strong>{example.name}</strong>
              <span>{example.about}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M4 5h16M4 12h16M4 19h10" strokeLinecap="round" />
    </svg>
  );
}

export const EXAMPLES_PLUGIN = { title: 'Examples', icon: Icon, content: Gallery };
