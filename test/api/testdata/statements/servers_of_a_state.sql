SELECT servers.id, servers.name FROM servers WHERE servers.state = ? AND servers.deleted_at IS NULL ORDER BY servers.name, servers.id LIMIT 26;
