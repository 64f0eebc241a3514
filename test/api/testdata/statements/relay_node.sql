SELECT servers.id, servers.name FROM servers WHERE servers.id = ? AND servers.deleted_at IS NULL LIMIT 2;
