// What a newcomer finds in the editor: the way from signing in to a running console, an operation at a time.

const signIn = `# Welcome to Catalyst. Put the cursor into an operation
# and press Ctrl-Enter.

# 1. Sign in, here or in the bar above. The token that you
#    get is then sent with everything else.
mutation Login {
  login(input: { login: "admin", password: "…" }) {
    user { id username }
    accessToken
    refreshToken
    expiresAt
  }
}

# 2. Who am I, and what may I do?
query Viewer {
  viewer {
    user { id username email }
    permissions
  }
}

# 3. What is there?
query Overview {
  hostNodes(first: 10) { edges { node { id name online } } }
  templates(first: 10) { edges { node { id name description } } }
  servers(first: 10) { edges { node { id name state } } }
}
`;

const servers = `# Create a server from a template, then start it.
# Put the ids that Overview shows into the variables below.
mutation CreateServer($templateId: ID!) {
  createServer(input: { name: "first", templateId: $templateId }) {
    server { id name state }
  }
}

mutation Start($id: ID!) { startServer(input: { id: $id }) { server { id state } } }
mutation Stop($id: ID!) { stopServer(input: { id: $id }) { server { id state } } }
mutation Kill($id: ID!) { killServer(input: { id: $id }) { server { id state } } }
mutation Delete($id: ID!) { deleteServer(input: { id: $id }) { deletedId } }

mutation Command($id: ID!) {
  sendCommand(input: { serverId: $id, command: "say hello" }) { server { id } }
}

query Server($id: ID!) {
  server(id: $id) {
    id name state crashCount
    stats { at cpuPercent memoryBytes uptime }
  }
}
`;

const live = `# The last 1000 lines, then live. This page joins the batches
# and shows the latest 200 lines, the newest first.
subscription Console($id: ID!) {
  console(serverId: $id) {
    skipped
    lines { seq time stream text }
  }
}

subscription Stats($id: ID!) {
  serverStats(serverId: $id) { at cpuPercent memoryBytes memoryPercent processes uptime }
}

subscription State($id: ID!) {
  serverStateChanged(serverId: $id) { previous state at reason }
}
`;

export const defaultQuery = signIn;

export const defaultTabs = [
  { query: signIn },
  { query: servers, variables: '{\n  "templateId": "",\n  "id": ""\n}' },
  { query: live, variables: '{\n  "id": ""\n}' },
];
