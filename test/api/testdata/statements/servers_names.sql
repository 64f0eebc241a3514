SELECT servers.id, servers.name FROM servers WHERE servers.deleted_at IS NULL ORDER BY servers.id LIMIT 26;
